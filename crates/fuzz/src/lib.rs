//! What must hold whatever bytes come.
//!
//! Each target takes any bytes and panics if a promise is broken: not only that nothing crashes, but
//! that what is read and written again is the same, that a path stays beneath its folder, that how a
//! body is cut into frames changes nothing, that no request is answered with an internal error. The
//! crate `fuzz` drives them with libFuzzer (`scripts/fuzz`); here `cargo test` replays what it has
//! found worth keeping (`corpus/TARGET/`).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // a panic is a finding

mod bodies;
mod chunks;
mod messages;
mod path;
mod requests;
mod server;
mod settings;
mod side_files;

// Of the program these files alone.
#[allow(dead_code, unreachable_pub)]
#[path = "../../../server/src/hosts.rs"]
mod hosts;
#[allow(dead_code, unreachable_pub)]
#[path = "../../../server/src/config/unit.rs"]
mod unit;

use hoist_axum::fuzzing::{cookies, dialect, headers, range};
use hoist_store::fuzzing::{cursor, places, sidecar};

/// One target; what it says is whether its parser took the bytes, or nothing.
pub type Target = fn(&[u8]) -> Option<bool>;

macro_rules! targets {
    ($($name:literal: $target:expr;)*) => {
        &[$(($name, |data| $target(data).into())),*]
    };
}

/// All targets by name.
pub const TARGETS: &[(&str, Target)] = targets! {
    "answers": of_all(messages::answers);
    "chunks": of_all(chunks::chunks);
    "classic": of_all(requests::classic);
    "messages": of_all(messages::messages);
    "request": of_all(requests::request);
    "side_files": of_all(side_files::side_files);
    "cookies": cookies;
    "cursor": cursor;
    "dialect": dialect;
    "form": bodies::form;
    "headers": headers;
    "pack": bodies::pack;
    "path": path::path;
    "places": places;
    "range": range;
    "settings": settings::settings;
    "sidecar": sidecar;
};

/// A target with many parsers, of which it says nothing.
fn of_all(target: fn(&[u8])) -> impl Fn(&[u8]) -> Option<bool> {
    move |data| {
        target(data);
        None
    }
}

/// Runs one target.
///
/// # Panics
///
/// If there is none of this name, or a promise is broken.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    target.expect("a target of this name").1(data);
}
