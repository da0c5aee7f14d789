//! What must hold of every parser of this crate, whatever bytes come; for `cargo fuzz` and for the
//! corpora in `fuzz/corpus`, which the tests replay. No part of the API.
//!
//! Each function panics if something does not hold, and says whether its parser took the bytes.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a property that panics has failed"
)]

mod bodies;
mod headers;

use std::future::Future;

pub use bodies::{form, pack};
pub use headers::{cookies, headers, range};

/// Each property by the name of its corpus.
pub const TARGETS: [(&str, fn(&[u8]) -> bool); 7] = [
    ("classic_list", classic_list),
    ("classic_query", classic_query),
    ("cookies", cookies),
    ("form", form),
    ("headers", headers),
    ("pack", pack),
    ("range", range),
];

/// The list of files of the classic dialect, in each of its encodings.
pub fn classic_list(bytes: &[u8]) -> bool {
    crate::classic::fuzzing::list(bytes)
}

/// The query of the classic dialect.
pub fn classic_query(bytes: &[u8]) -> bool {
    crate::classic::fuzzing::query(bytes)
}

/// Runs something that waits for nobody.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().build().unwrap().block_on(future)
}

#[cfg(test)]
#[path = "../../../fuzz/replay.rs"]
mod replay;

#[test]
#[cfg(test)]
fn what_the_fuzzer_found_and_was_given_holds() {
    replay::replay("hoist-axum", &TARGETS);
}
