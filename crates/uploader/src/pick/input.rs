//! Files chosen in the browser's dialog.

use web_sys::HtmlInputElement;

use super::{add_files, to_files};
use crate::Uploader;

/// Takes what an input holds and empties it, so that the same file can be chosen again.
///
/// Called for each `change`, and once when the page comes alive: a file that was chosen before
/// gives no event any more.
pub(crate) fn take_input(uploader: Uploader, input: &HtmlInputElement) {
    let Some(list) = input.files().filter(|list| list.length() > 0) else {
        return;
    };
    // Copied first: emptying the input empties its list too.
    let files = to_files(&list);
    input.set_value("");
    if let Some(driver) = uploader.driver() {
        add_files(&driver, files);
    }
}
