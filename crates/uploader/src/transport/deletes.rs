//! Deletes without a confirmation, which outlive the page. All of it is in `js/deletes.js`: the page
//! that tells them again may have no row of the file.

use js_sys::Array;
use wasm_bindgen::prelude::wasm_bindgen;

use super::headers;
use crate::options::UploaderOptions;

#[wasm_bindgen(module = "/js/deletes.js")]
extern "C" {
    /// Keeps `now` instead of `before`, requests to delete or nothing.
    pub(crate) fn keep(url: &str, before: &str, now: &str);
    /// What is kept, as one text.
    pub(crate) fn kept(url: &str) -> String;
    fn tell(url: &str, headers: Array, credentials: bool);
}

/// Tells the server what is kept until it has confirmed all of it, also when the page has gone.
pub(crate) fn tell_again(options: &UploaderOptions, url: &str) {
    tell(url, headers(options), options.with_credentials);
}
