//! Of the program these files alone: it would bring all of leptos.
#![no_main]
#![allow(dead_code)]

mod config {
    #[path = "../../../server/src/config/fuzzing.rs"]
    pub(crate) mod fuzzing;
    #[path = "../../../server/src/config/unit.rs"]
    mod unit;
}
#[path = "../../server/src/hosts.rs"]
mod hosts;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    config::fuzzing::settings(bytes);
});
