//! One suite for all backends, and what only a disk can show.

mod broken;
mod cancel;
mod chunks;
mod crash;
mod dying;
mod faults;
mod files;
mod leases;
mod links;
mod model;
mod names;
mod outbox;
mod parts;
mod power;
mod reboot;
mod small;
mod space;
mod start;
mod support;
mod syncs;
mod tokens;

/// Runs each case against the disk and against memory.
macro_rules! conformance {
    ($($(#[$doc:meta])* async fn $name:ident($bench:ident: Bench) $body:block)*) => {
        mod memory {
            $($(#[$doc])* #[tokio::test] async fn $name() {
                super::cases::$name($crate::tests::support::Bench::memory()).await;
            })*
        }
        mod disk {
            $($(#[$doc])* #[tokio::test(flavor = "multi_thread", worker_threads = 2)] async fn $name() {
                super::cases::$name($crate::tests::support::Bench::disk().await).await;
            })*
        }
        mod cases {
            #[allow(clippy::wildcard_imports)]
            use super::*;
            $(pub(super) async fn $name($bench: Bench) $body)*
        }
    };
}
pub(crate) use conformance;
