//! What must hold whatever bytes come.
//!
//! Each target takes any bytes and panics if a promise is broken: not only that nothing crashes, but
//! that what is read and written again is the same, that a path stays beneath its folder, that how a
//! body is cut into frames changes nothing, that no request is answered with an internal error. The
//! crate `fuzz` drives them with libFuzzer (`scripts/fuzz`); here `cargo test` replays what it has
//! found worth keeping (`corpus/TARGET/`).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // a panic is a finding

mod chunks;
mod messages;
mod path;
mod requests;
mod server;
mod side_files;

/// One target.
pub type Target = fn(&[u8]);

/// All targets by name.
pub const TARGETS: &[(&str, Target)] = &[
    ("messages", messages::messages),
    ("answers", messages::answers),
    ("path", path::path),
    ("chunks", chunks::chunks),
    ("pack", requests::pack),
    ("form", requests::form),
    ("classic", requests::classic),
    ("request", requests::request),
    ("side_files", side_files::side_files),
];

/// Runs one target.
///
/// # Panics
///
/// If there is none of this name, or a promise is broken.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    target.expect("a target of this name").1(data);
}
