//! The brain of a Hoist client, without I/O.
//!
//! [`Engine`] is a pure state machine: events in, actions out, time as an argument. It decides
//! what is created, read, sent, asked, compared, tried again and given up, and what a view may
//! show. It deliberately knows no clock, no timer, no future, no URL, no JSON, no browser and no
//! way in which bytes move, so that the same brain runs in a page, in a simulator and in a
//! command-line client; and it cannot fail and cannot panic, because a panic in a page's wasm
//! kills the page.
//!
//! ```text
//!  person, network, clock ──Event──▶ ┌────────┐ ──Action──▶ driver (requests, reads, callbacks)
//!                                    │ Engine │
//!            view ◀──Snapshot─────── └────────┘
//! ```

mod action;
mod add;
mod compare;
mod config;
mod create;
mod delete;
mod elsewhere;
mod engine;
mod event;
mod file;
mod hold;
mod line;
mod outcome;
mod pack;
mod person;
mod progress;
mod queue;
mod rate;
mod request;
mod restrict;
mod retry;
mod rng;
mod settle;
mod snapshot;
mod sorted;
mod status;
mod transfer;
mod wait;
mod words;

pub use action::{Action, Notice};
pub use config::{EngineConfig, Restrictions, RetryPolicy};
pub use elsewhere::Elsewhere;
pub use engine::Engine;
pub use event::{Event, Failure, Picked};
pub use snapshot::{FileRow, Offers, Snapshot, Totals};

/// A file of this engine: dense numbers from 0 in the order they were added; the driver counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileKey(pub u32);

/// A request that the driver makes for the engine; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

#[cfg(test)]
mod tests;
