//! What the host page may set.

use hoist_protocol::{OnConflict, Sender};

/// What the component allows, before the server is asked. Sizes are bytes.
///
/// The server has its own limits ([`crate::Event::Limits`]); a file must pass both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restrictions {
    /// Largest file. Default: none.
    pub max_file_size: Option<u64>,
    /// Smallest file. Default: none.
    pub min_file_size: Option<u64>,
    /// Most bytes in all files of this visit together. Default: none.
    pub max_total_size: Option<u64>,
    /// Most files in this visit. Default: none.
    pub max_files: Option<u32>,
    /// Types that are taken, as in an `accept` attribute: `.pdf`, `image/png`, `image/*`. Default:
    /// empty, for all.
    pub accept: Vec<String>,
}

/// When a failed request is tried again.
///
/// The wait before try *n* is random between 0 and `first_delay_ms × 2ⁿ`, at most `max_delay_ms`
/// (full jitter, so that a thousand pages do not come back in one second). Bytes that were
/// acknowledged set *n* back to 0. There is no last try: a network may be away for hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Upper end of the first wait, in milliseconds. Default 500.
    pub first_delay_ms: u64,
    /// Upper end of every wait, in milliseconds. Default 30 000.
    pub max_delay_ms: u64,
    /// How often bytes may arrive damaged, without a good chunk in between, before the file fails.
    /// Default 5.
    pub mismatches: u32,
    /// How often a proxy may refuse a request of a single chunk before the file fails. Default 4.
    pub proxy_refusals: u32,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            first_delay_ms: 500,
            max_delay_ms: 30_000,
            mismatches: 5,
            proxy_refusals: 4,
        }
    }
}

/// How the engine works; everything has a default but the sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineConfig {
    /// The random name of this page's sending. Two pages must not share one.
    pub sender: Sender,
    /// Whether files are sent as soon as they are added, without [`crate::Event::Start`]. Default
    /// `true`.
    pub auto_start: bool,
    /// Most requests that carry bytes at the same time. Default 4; at least 1 is used. Two more
    /// connections are used for small calls.
    pub max_concurrent: u32,
    /// The chunk size to wish for, in bytes; the server answers the nearest it allows. Default: none.
    pub chunk_size: Option<u64>,
    /// Most bytes that are read and hashed but not yet acknowledged, those in flight included. A
    /// driver that sends buffers holds at most this much. Default 64 MiB.
    pub read_ahead: u64,
    /// Whether a pack of whole files costs the driver much less than one of their pieces: then files that a
    /// pack can carry whole wait until all of their chunks are hashed. Default `false`.
    pub whole_files: bool,
    /// Most bytes that a pack is wanted to have, whatever the line could take: less where sending a large one
    /// holds the driver up. Default 1 GiB; the server's limit holds anyway.
    pub largest_pack: u64,
    /// What to do if another file has the path of one that is added. Default: both stay.
    pub on_conflict: OnConflict,
    /// What is taken at all.
    pub restrictions: Restrictions,
    /// When failures are tried again.
    pub retry: RetryPolicy,
    /// A request that carries bytes is given up after this time without progress, or after four
    /// times what it should have taken, whichever is longer. In milliseconds. Default 15 000.
    pub stall_ms: u64,
    /// A small call is given up after this time, in milliseconds. Default 60 000.
    pub control_timeout_ms: u64,
    /// How long the first create waits for more files, in milliseconds. Default 20.
    pub batch_window_ms: u64,
}

impl EngineConfig {
    /// The defaults, for this sender.
    #[must_use]
    pub fn new(sender: Sender) -> Self {
        Self {
            sender,
            auto_start: true,
            max_concurrent: 4,
            chunk_size: None,
            read_ahead: 64 << 20,
            whole_files: false,
            largest_pack: 1 << 30,
            on_conflict: OnConflict::KeepBoth,
            restrictions: Restrictions::default(),
            retry: RetryPolicy::default(),
            stall_ms: 15_000,
            control_timeout_ms: 60_000,
            batch_window_ms: 20,
        }
    }
}
