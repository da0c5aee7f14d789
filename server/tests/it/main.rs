//! The program as a person starts it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // a test that panics has failed

mod classic;
mod composition;
mod demo;
mod inspect;
mod lab;
mod large_form;
mod log;
mod metrics;
mod process;
mod program;
mod readme;
mod restrictions;
mod sign_in;
mod webhook;
