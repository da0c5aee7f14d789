# `make` alone says what there is.
.PHONY: help setup build serve test lab bench image audit
help:
	@echo 'make serve   installs what is missing, builds the release, serves http://127.0.0.1:3000, data in ./data'
	@echo 'make test    everything that CI checks; it installs what is missing'
	@echo 'make build   the release alone'
	@echo 'make image   a container image of one static program and its site'
	@echo 'make setup   the tools alone'
	@echo 'make lab     what make test does in short against death and damage, for long; prints a table'
	@echo 'make bench   Hoist and its peers side by side; JOB=small RUNS=3 for one job'
	@echo 'make audit   known weaknesses of dependencies; needs the network'
setup:
	@scripts/setup
build:
	@scripts/build
serve:
	@scripts/serve
test:
	@scripts/check
lab:
	@scripts/lab
bench:
	@scripts/bench $(JOB) $(RUNS)
image:
	@scripts/setup image
	@scripts/image
audit:
	@scripts/audit
