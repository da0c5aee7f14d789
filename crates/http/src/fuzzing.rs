//! What must hold of the parsers of this crate that a request reaches only through others, whatever
//! bytes come; for `crates/fuzz`, which has the corpora. No part of the API.
//!
//! Each function panics if something does not hold, and says whether its parser took the bytes.

mod headers;

use std::future::Future;

pub use headers::{cookies, headers, range};

/// The list of files of the classic dialect, in each of its encodings; after a `q`, its query.
pub fn dialect(bytes: &[u8]) -> bool {
    match bytes.split_first() {
        Some((b'q', query)) => crate::classic::fuzzing::query(query),
        _ => crate::classic::fuzzing::list(bytes),
    }
}

/// Runs something that waits for nobody.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    #[allow(clippy::unwrap_used, reason = "a fuzzer without a runtime has failed")]
    runtime.unwrap().block_on(future)
}
