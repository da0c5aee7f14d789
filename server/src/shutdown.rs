//! When to stop.

use tokio::signal::unix::{Signal, SignalKind, signal as listen};

/// Resolves on SIGINT (Ctrl-C) or SIGTERM (`kill`, containers).
///
/// Listens from the call on, not from the first poll: a signal that comes before it is polled is not lost, and
/// does not end the program at once. Call it in a runtime.
pub fn signal() -> impl Future<Output = ()> {
    let mut interrupt = listen_to(SignalKind::interrupt());
    let mut terminate = listen_to(SignalKind::terminate());
    async move {
        let which = tokio::select! {
            () = received(&mut interrupt) => "SIGINT",
            () = received(&mut terminate) => "SIGTERM",
        };
        tracing::info!("stopping on {which}");
    }
}

fn listen_to(kind: SignalKind) -> Option<Signal> {
    listen(kind)
        .inspect_err(|error| tracing::warn!(cause = %error, "cannot listen to a signal"))
        .ok()
}

async fn received(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}
