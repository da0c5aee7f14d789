//! The program: configuration, logging, shutdown and composition of what the other crates do.
//!
//! [`run`] is all of it but the reading of flags and signals, so that tests start it on port 0.

pub mod compose;
pub mod config;
mod descriptors;
pub mod health;
mod hosts;
pub mod inspect;
mod key;
pub mod metrics;
mod public;
pub mod shutdown;
mod sweeper;
pub mod telemetry;
mod webhook;

use std::{future::Future, net::SocketAddr, path::PathBuf, pin::pin};

use hoist_axum::Clock;
use hoist_store::{Store, StoreError};
use tokio::net::TcpListener;

pub use config::{Config, ConfigError, Durable, Plan, Secret, Visitors};
pub use webhook::Webhooks;

/// Why the program ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The flags contradict each other.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The runtime did not start.
    #[error("the runtime did not start")]
    Runtime(#[source] std::io::Error),
    /// The address is taken or not ours.
    #[error("cannot listen on {addr}")]
    Bind {
        /// Which.
        addr: SocketAddr,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The data folder cannot be used.
    #[error("cannot use the data folder {}", .folder.display())]
    Store {
        /// Which.
        folder: PathBuf,
        /// Why not.
        #[source]
        source: StoreError,
    },
    /// So many finished files are missing or have other bytes.
    #[error("{} {} damaged", .0, if *.0 == 1 { "file is" } else { "files are" })]
    Damaged(u64),
    /// The key of the visitors' cookies cannot be read or made.
    #[error("cannot use the key {}", .file.display())]
    Key {
        /// Which.
        file: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// No healthy server answers.
    #[error("no healthy server answers on {addr}")]
    Health {
        /// Where.
        addr: SocketAddr,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// Nothing can be said to other servers.
    #[error("cannot use TLS")]
    Tls(#[source] rustls::Error),
    /// The accept loop ended.
    #[error("cannot serve")]
    Serve(#[source] std::io::Error),
}

/// Serves on `listener` until `shutdown` resolves, then ends in order. If that is while the data folder is opened, which
/// may have to look at much after a power loss, nothing is served: what is opened is as after a crash.
///
/// Prints one line with the address, the data folder and the effective configuration once it
/// answers.
///
/// # Errors
///
/// [`RunError`], if it cannot start or not close its store.
pub async fn run(
    listener: TcpListener,
    mut plan: Plan,
    shutdown: impl Future<Output = ()>,
) -> Result<(), RunError> {
    descriptors::raise();
    let addr = listener.local_addr().map_err(RunError::Serve)?;
    let clock = Clock::system();
    let folder = plan.data.clone();
    let failed = |source| {
        let folder = folder.clone();
        RunError::Store { folder, source }
    };
    let mut shutdown = pin!(shutdown);
    let store = tokio::select! {
        biased;
        () = shutdown.as_mut() => return Ok(()),
        store = Store::open(&plan.data, plan.store.clone(), clock.now()) => store.map_err(failed)?,
    };
    let router = compose::compose(&store, &plan, &clock)?;
    let sweeper = sweeper::start(store.clone(), clock.clone());
    let webhooks = plan.webhooks.as_ref();
    let webhooks = match webhooks {
        Some(webhooks) => webhook::start(&store, webhooks, &clock)?,
        None => Vec::new(),
    };
    let metrics = metrics::start(&store, &mut plan).await?;
    if let Some(script) = plan.missing_script() {
        tracing::warn!(
            "the page has neither script nor style, because {} is not there: build it (make build), or say \
             with --site which folder has pkg in it",
            script.display()
        );
    }
    telemetry::announce(&plan, addr);
    let served = hoist_axum::serve(listener, router, plan.serve.clone(), shutdown).await;
    sweeper.abort();
    // What is under way is told again after the next start.
    for webhook in webhooks {
        webhook.abort();
    }
    if let Some(metrics) = metrics {
        metrics.abort();
    }
    tracing::info!("closing the store");
    store.close().await.map_err(failed)?;
    served.map_err(RunError::Serve)
}
