//! The engine against the real router over a lossy link, under one clock.
//!
//! Each seed is a small world: one or two pages with the real [engine], the real [router] over a
//! store in memory, and between them a link that loses, cuts, damages, delays, repeats and refuses
//! requests, and a server that dies and comes back. Everything runs on one thread under a clock
//! that stands still while somebody works, so that hours pass in milliseconds. At the end every
//! file is read back through the router and compared with its source by its BLAKE3 hash.
//!
//! The crate has nothing but its tests:
//!
//! ```text
//! cargo test -p hoist-sim                        a thousand seeds
//! HOIST_SIM_SEED=17 cargo test -p hoist-sim      one of them again
//! HOIST_SIM_SEEDS=20000 cargo test -p hoist-sim  more of them
//! ```
//!
//! [engine]: https://docs.rs/hoist-engine
//! [router]: https://docs.rs/hoist-axum

#![cfg_attr(test, allow(clippy::cast_possible_truncation))] // small numbers in tests

#[cfg(test)]
mod chance;
#[cfg(test)]
mod link;
#[cfg(test)]
mod page;
#[cfg(test)]
mod seeds;
#[cfg(test)]
mod world;
