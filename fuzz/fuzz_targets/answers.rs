//! Of the uploader these files alone: it would bring all of leptos.
#![no_main]

#[path = "../../crates/uploader/src/fuzzing.rs"]
mod fuzzing;
#[allow(dead_code, unreachable_pub)]
#[path = "../../crates/uploader/src/json.rs"]
mod json;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    fuzzing::answers(bytes);
});
