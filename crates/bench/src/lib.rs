//! What `make bench` sends with: threads, blocking sockets, and bytes that are in memory and hashed before
//! the clock starts, so that the client is not what is measured. `sink` shows its ceiling.
//!
//! Beside it what the hot paths alone are given, without a network: [`inputs`] and [`page`], for `cargo bench`
//! (`benches/`) and for `scripts/instructions` (`src/bin/count.rs`).
#![expect(
    clippy::indexing_slicing,
    reason = "a wrong index is a defect of the measurement and must end it"
)]
#![expect(clippy::disallowed_methods, reason = "it measures time, natively")]

use std::{
    io,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

pub mod hoist;
pub mod http;
pub mod inputs;
pub mod page;
pub mod plain;
pub mod slow;
pub mod source;

/// Runs `work` for each number below `count`, on so many threads with a connection each.
///
/// # Errors
///
/// The first that any of them met; the others then take nothing more.
pub fn on_connections<C>(
    connections: usize,
    count: usize,
    connect: impl Fn() -> io::Result<C> + Sync,
    work: impl Fn(&mut C, usize) -> io::Result<()> + Sync,
) -> io::Result<f64> {
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(None));
    let begun = Instant::now();
    let run = || -> io::Result<()> {
        let mut connection = connect()?;
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return Ok(());
            }
            work(&mut connection, number)?;
        }
    };
    thread::scope(|scope| {
        for _ in 0..connections.min(count) {
            scope.spawn(|| {
                if let Err(error) = run() {
                    next.store(count, Ordering::Relaxed);
                    if let Ok(mut failed) = failed.lock() {
                        failed.get_or_insert(error);
                    }
                }
            });
        }
    });
    match failed.into_inner() {
        Ok(None) => Ok(begun.elapsed().as_secs_f64()),
        Ok(Some(error)) => Err(error),
        Err(_) => Err(io::Error::other("a thread panicked")),
    }
}
