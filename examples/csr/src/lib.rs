//! The page, rendered in the browser alone.

use hoist_leptos::{Uploader, UploaderOptions};
use leptos::prelude::*;
use wasm_bindgen::prelude::wasm_bindgen;

/// The page. Where it uploads to stands in its HTML, since static files know no server.
#[component]
fn App() -> impl IntoView {
    let root = document().document_element();
    let endpoint = root.and_then(|root| root.get_attribute("data-uploads"));
    let options = UploaderOptions {
        endpoint: endpoint.unwrap_or_else(|| "/hoist".to_owned()),
        // Another origin knows its visitor by a cookie as well.
        with_credentials: true,
        ..UploaderOptions::default()
    };
    view! {
        <h1>"Rendered here"</h1>
        <Uploader options/>
    }
}

/// Called once the wasm is there.
#[wasm_bindgen(start)]
pub fn start() {
    leptos::mount::mount_to_body(App);
}
