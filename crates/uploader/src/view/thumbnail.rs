//! The small picture of an image, where otherwise its type stands.
//!
//! All the work is in `js/thumbnails.js`, in a worker, and nothing of it in the wasm: a picture
//! never passes through here. This says only what to show and where, and when it is over.

use leptos::{html, prelude::*};
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};
use web_sys::Element;

use crate::{FileKey, FileView, Uploader};

/// Files of more bytes than this are not read for a picture.
const MOST_LOCAL: u64 = 128 << 20;
/// And these are not fetched for one: a list of photos would load the photos.
const MOST_FETCHED: u64 = 1 << 20;

#[wasm_bindgen(module = "/js/thumbnails.js")]
extern "C" {
    fn show(place: &Element, source: &JsValue, width: u32, height: u32, credentials: bool) -> u32;
    fn hide(id: u32);
}

/// Shows the picture of a row's file in `place` for as long as the row is there.
pub(super) fn picture(
    uploader: Uploader,
    key: FileKey,
    file: &ArcRwSignal<FileView>,
    place: NodeRef<html::Div>,
) {
    let file = file.clone();
    // An effect: never on the server.
    Effect::new(move || {
        let place = place.get();
        let options = uploader.options();
        let (width, height) = (options.thumbnail_width, options.thumbnail_height);
        let source = file.with_untracked(|file| source(uploader, key, file));
        if let (Some(place), Some(source)) = (place, source)
            && width > 0
            && height > 0
        {
            let id = show(&place, &source, width, height, options.with_credentials);
            on_cleanup(move || hide(id));
        }
    });
}

/// The file that was picked, or the address of the stored one.
fn source(uploader: Uploader, key: FileKey, file: &FileView) -> Option<JsValue> {
    let picked = uploader.driver().and_then(|driver| driver.file(key));
    if let Some(picked) = picked {
        let picked: &web_sys::File = picked.as_ref();
        return (file.size <= MOST_LOCAL).then(|| picked.into());
    }
    let options = uploader.options();
    // Whoever needs headers of their own to be let in does not get at it by its address.
    if file.size > MOST_FETCHED || !options.headers.is_empty() {
        return None;
    }
    file.receipt()
        .map(|receipt| JsValue::from_str(&options.address(receipt)))
}
