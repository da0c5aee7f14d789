//! The router from outside: one file per call, and a few over real sockets.

#![allow(
    clippy::cast_possible_truncation,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing
)] // small numbers; a test that panics has failed

mod cancel;
mod classes;
mod classic;
mod codes;
mod create;
mod deliver;
mod download;
mod errors;
mod form;
mod form_delete;
mod http2;
mod json_room;
mod limits;
mod list;
mod memory;
mod origin;
mod pack;
mod pack_form;
mod running;
mod shares;
mod sockets;
mod status;
mod support;
mod table;
mod tokens;
mod visitors;
mod websocket;
mod zip;
