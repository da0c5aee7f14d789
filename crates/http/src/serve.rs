//! An accept loop with the time-outs that uploads need.

use std::{
    convert::Infallible, future::Future, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration,
};

use axum::{Router, body::Body, extract::ConnectInfo};
use http::{Request, header};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{sleep, timeout},
};
use tower::Service as _;

use crate::{
    addresses::Addresses,
    idle::Idle,
    ration::{Rationed, ration},
    seat::Seat,
};

/// What an accept loop is told. Spans are milliseconds.
#[derive(Clone, Debug)]
pub struct ServeConfig {
    /// How long the head of a request may take, from its first chance to come; so also how long a
    /// connection is kept between two requests. Default 30 seconds.
    pub header_timeout_ms: u64,
    /// How long no byte may go either way on a connection. Default 75 seconds.
    pub idle_timeout_ms: u64,
    /// How long running requests may take to end when the server stops. Default 4 seconds.
    pub shutdown_ms: u64,
    /// Most connections at one time; further ones wait. Default 16 384.
    pub connections: usize,
    /// Most connections at one time from one address (of IPv6, one /64); further ones are closed at once.
    /// Behind a proxy all have the proxy's. Default no limit.
    pub per_address: usize,
    /// Most requests at one time on one HTTP/2 connection. Default 64.
    pub http2_streams: u32,
}

impl Default for ServeConfig {
    fn default() -> Self {
        Self {
            header_timeout_ms: 30_000,
            idle_timeout_ms: 75_000,
            shutdown_ms: 4_000,
            connections: 16_384,
            per_address: usize::MAX,
            http2_streams: 64,
        }
    }
}

/// Whether the server is stopping; in the extensions of each request that came through [`serve`].
///
/// ```
/// use axum::{Extension, Router, routing::get};
/// use hoist_axum::Stopping;
///
/// // A long answer of your own that ends early when the server is stopped.
/// async fn events(Extension(mut stopping): Extension<Stopping>) -> &'static str {
///     stopping.stopping().await;
///     "goodbye"
/// }
/// let app: Router = Router::new().route("/events", get(events));
/// ```
#[derive(Clone, Debug)]
pub struct Stopping(watch::Receiver<bool>);

impl Stopping {
    /// Whether it is.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is.
    pub async fn stopping(&mut self) {
        // An error: the accept loop is gone.
        let _ = self.0.wait_for(|stopping| *stopping).await;
    }
}

/// Accepts connections and serves `router` on them until `shutdown` resolves.
///
/// Speaks HTTP/1.1 and, to those who begin with it, HTTP/2, without TLS. Each request has the peer's
/// address, `ConnectInfo<SocketAddr>`, and [`Stopping`] in its extensions.
///
/// When `shutdown` resolves, nothing new is accepted; packs end after their current whole chunk with
/// 503 `unavailable`, other requests run to their end, and what still runs after
/// [`ServeConfig::shutdown_ms`] is closed. Then this returns. A connection that a handler of yours has upgraded
/// keeps its place until it ends, and should end with [`Stopping`]: nobody else closes it.
///
/// # Examples
///
/// ```
/// use hoist_axum::{HttpConfig, ServeConfig, router, serve};
/// use hoist_store::{Store, StoreConfig};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let uploads = router(Store::memory(StoreConfig::default()), HttpConfig::default());
/// let app = axum::Router::new().nest("/hoist", uploads);
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// // As a program would: `async { drop(tokio::signal::ctrl_c().await) }`.
/// let shutdown = async {};
/// serve(listener, app, ServeConfig::default(), shutdown).await
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// None at present: failures of single connections are theirs, and an accept that fails (too many
/// open files) is tried again.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    config: ServeConfig,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let (stop, stopping) = watch::channel(false);
    let room = Arc::new(Semaphore::new(config.connections.max(1)));
    let addresses = Addresses::new(config.per_address);
    let (all, mut connections) = (Arc::new(()), JoinSet::new());
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = accept(&listener, &room) => accepted,
            // Takes finished ones out, so that the set does not grow for ever.
            Some(_) = connections.join_next() => continue,
        };
        let (stream, peer, permit) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(cause = %error, "accepting a connection failed");
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Some(place) = addresses.take(peer.ip()) else {
            tracing::debug!(%peer, "too many connections of one address");
            continue;
        };
        let connection = connection(
            stream,
            peer,
            router.clone(),
            builder(&config, ration(connections.len() + 1).max(HEAD)),
            Arc::clone(&all),
            config.clone(),
            Stopping(stopping.clone()),
        );
        connections.spawn(async move {
            connection.await;
            drop((place, permit));
        });
    }
    drop(listener);
    let _ = stop.send(true);
    let all = async { while connections.join_next().await.is_some() {} };
    let is_late = timeout(Duration::from_millis(config.shutdown_ms), all)
        .await
        .is_err();
    if is_late {
        tracing::info!(
            open = connections.len(),
            "closing connections that still run"
        );
    }
    connections.shutdown().await;
    Ok(())
}

type Accepted = (TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit);

async fn accept(listener: &TcpListener, room: &Arc<Semaphore>) -> io::Result<Accepted> {
    let permit = Arc::clone(room)
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, permit))
}

/// The least that hyper may hold of a request: its head must fit (cookies, tokens of a proxy).
const HEAD: usize = 16 << 10;

fn builder(config: &ServeConfig, buffer: usize) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(config.header_timeout_ms))
        .max_headers(64)
        .max_buf_size(buffer);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(config.http2_streams)
        .max_header_list_size(32 << 10)
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(256)
        // A pack flows without a stop at 100 Mbit/s and 160 ms; a connection holds at most this.
        .initial_stream_window_size(2 << 20)
        .initial_connection_window_size(8 << 20)
        .max_send_buf_size(256 << 10)
        .keep_alive_interval(Duration::from_millis(config.idle_timeout_ms / 3))
        .keep_alive_timeout(Duration::from_millis(config.header_timeout_ms));
    builder
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    builder: Builder<TokioExecutor>,
    all: Arc<()>,
    config: ServeConfig,
    mut stopping: Stopping,
) {
    // Small answers to packs must not wait for more of them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(cause = %error, "no TCP_NODELAY");
    }
    let for_requests = stopping.clone();
    let (place, seat) = Seat::new();
    let for_stream = seat.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let mut router = router.clone();
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        request.extensions_mut().insert(for_requests.clone());
        // Only there: others may be kept for longer than the connection lasts.
        if request.headers().contains_key(header::UPGRADE) {
            request.extensions_mut().insert(seat.clone());
        }
        async move {
            let response: Result<_, Infallible> = router.call(request).await;
            response
        }
    });
    let stream = Idle::new(
        Rationed::new(stream, all, for_stream),
        Duration::from_millis(config.header_timeout_ms.min(config.idle_timeout_ms)),
        Duration::from_millis(config.idle_timeout_ms),
    );
    let ended = {
        let io = TokioIo::new(stream);
        let mut serving = pin!(builder.serve_connection_with_upgrades(io, service));
        tokio::select! {
            ended = serving.as_mut() => ended,
            () = stopping.stopping() => {
                serving.as_mut().graceful_shutdown();
                serving.await
            }
        }
    };
    // What was made of it lives on, and so does its place.
    place.free().await;
    if let Err(error) = ended {
        tracing::debug!(%peer, cause = %error, "a connection broke off");
    }
}
