# An image of nothing but the program and its site: `make image` (scripts/image) builds both into an
# empty folder and calls this there. To build everything inside containers: Dockerfile.build
FROM scratch
COPY hoist /hoist
COPY site /site
# Empty, and the user's: a volume that is new takes both over.
COPY --chown=1000:1000 data /data
ENV HOIST_ADDR=0.0.0.0:3000 HOIST_DATA=/data \
  LEPTOS_OUTPUT_NAME=hoist LEPTOS_SITE_ROOT=/site LEPTOS_SITE_PKG_DIR=pkg LEPTOS_ENV=PROD
USER 1000:1000
EXPOSE 3000
VOLUME /data
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=5s CMD ["/hoist", "health"]
ENTRYPOINT ["/hoist"]
