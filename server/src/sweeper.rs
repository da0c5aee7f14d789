//! Removes what has expired, now and then.

use std::time::Duration;

use hoist_axum::Clock;
use hoist_store::Store;
use tokio::{task::JoinHandle, time};

/// How long between two sweeps; a deleted file goes at most so long after its grace.
const EVERY: Duration = Duration::from_secs(15);

/// Starts sweeping, at once and then for ever.
pub(crate) fn start(store: Store, clock: Clock) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut ticks = time::interval(EVERY);
        ticks.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            match store.sweep(clock.now()).await {
                Ok(report) if report.expired + report.deleted > 0 => {
                    tracing::info!(expired = report.expired, deleted = report.deleted, "swept");
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(cause = %error, "a sweep failed; it is tried again"),
            }
        }
    })
}
