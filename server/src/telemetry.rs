//! What the program says: logs to standard error, its address to standard output.

use std::{error::Error, net::SocketAddr};

use tracing_subscriber::EnvFilter;

use crate::Plan;

/// Starts logging; `filter` is as in `RUST_LOG`.
pub fn init(filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    // An error: a logger is there already, and goes on.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .try_init();
}

/// Says in one line why the program ends.
#[expect(clippy::print_stderr, reason = "a person started it and reads this")]
pub fn fatal(error: &(dyn Error + 'static)) {
    let mut words = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        words = format!("{words}: {cause}");
        next = cause.source();
    }
    eprintln!("hoist: {words}");
}

/// Says where the program answers and how it is set.
#[expect(clippy::print_stdout, reason = "a person started it and reads this")]
pub(crate) fn announce(plan: &Plan, addr: SocketAddr) {
    println!("hoist {} http://{addr}/ {plan}", env!("CARGO_PKG_VERSION"));
}
