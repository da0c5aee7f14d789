//! The pages: two uploaders, one of them inside a form of the page's own.

use hoist_leptos::{Body, Restrictions, Uploader, UploaderOptions};
use hoist_protocol::ListResponse;
use leptos::prelude::*;
use leptos_meta::provide_meta_context;

/// Where the upload router is mounted.
pub const UPLOADS: &str = "/api/uploads";

/// The page.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    let stored = RwSignal::new(0_u32);
    let count = Callback::new(move |_| stored.update(|count| *count += 1));
    let album = UploaderOptions {
        endpoint: UPLOADS.to_owned(),
        restrictions: Restrictions {
            accept: vec!["image/*".to_owned()],
            ..Restrictions::default()
        },
        chunk_size: Some(256 * 1024),
        thumbnail_width: 96,
        thumbnail_height: 64,
        on_success: Some(count),
        ..UploaderOptions::default()
    };
    let papers = UploaderOptions {
        endpoint: UPLOADS.to_owned(),
        in_form: true,
        // What Safari is given by itself: a buffer per request instead of slices of files.
        body: Body::Buffer,
        directory: false,
        on_success: Some(count),
        ..UploaderOptions::default()
    };
    // The server has put the visitor's list there; the browser gets it with the page.
    let initial = use_context::<ListResponse>();
    view! {
        <h1>"Gallery"</h1>
        <p id="stored">{stored} " stored in this visit"</p>
        <section id="album">
            <h2>"Pictures"</h2>
            <Uploader options=album initial/>
        </section>
        <form id="claim" method="get" action="/">
            <h2>"Papers"</h2>
            <label>
                "Subject " <input name="subject" required/>
            </label>
            <Uploader options=papers/>
            <button type="submit">"File the claim"</button>
        </form>
    }
}

/// Called by the page's script once the wasm is there.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    leptos::mount::hydrate_body(App);
}
