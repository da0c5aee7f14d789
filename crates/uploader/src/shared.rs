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
        let json = serde_json::to_string(&value).unwrap_or_default();
        made = Some(value);
        json
    });
    made.unwrap_or_else(|| json::from_slice(json.as_bytes()).unwrap_or_default())
}
