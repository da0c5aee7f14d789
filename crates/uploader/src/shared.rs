//! Plain data that is the same on the server and in the browser.

use leptos::prelude::SharedValue;
use serde::{Serialize, de::DeserializeOwned};

use crate::json;

/// Makes a value on the server and reads the same one in the browser while it hydrates, without a
/// second request and without a resource.
///
/// Like [`SharedValue`], of which it is made; but it reads JSON the way that answers are read, so
/// that the code for reading a list is in the wasm once.
///
/// # Server rendering
///
/// Call it in the same order on both sides, as everything that hydrates.
pub fn shared<T>(make: impl FnOnce() -> T) -> T
where
    T: Serialize + DeserializeOwned + Default,
{
    let mut made = None;
    let json = SharedValue::new_str(|| {
        let value = make();
        // A browser that makes it tells nobody, and needs no code to write it.
        let json = if cfg!(feature = "ssr") {
            serde_json::to_string(&value).unwrap_or_default()
        } else {
            String::new()
        };
        made = Some(value);
        json
    });
    made.unwrap_or_else(|| json::from_slice(json.as_bytes()).unwrap_or_default())
}
