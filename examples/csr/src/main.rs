//! The whole page. Its style sheet is a file beside it, as `index.html` says.

use hoist_leptos::Uploader;
use leptos::prelude::*;

fn main() {
    mount_to_body(|| {
        view! {
            <h1>"Static page"</h1>
            <Uploader/>
        }
    });
}
