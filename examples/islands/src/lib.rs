//! A page that stays HTML, and an island in it that comes alive.

use hoist_leptos::{Uploader, UploaderOptions};
use leptos::prelude::*;

/// The page: nothing of it is sent to the browser as code.
#[component]
pub fn App() -> impl IntoView {
    view! {
        <h1>"Papers"</h1>
        <p>"Only the box below is code in the browser."</p>
        <Papers chunk_size=262_144/>
    }
}

/// The uploader, as an island. What an island is given must travel with the page, so options and
/// callbacks are made inside of it.
#[island]
pub fn Papers(chunk_size: u64) -> impl IntoView {
    let count = RwSignal::new(0_u32);
    let options = UploaderOptions {
        on_success: Some(Callback::new(move |_| count.update(|count| *count += 1))),
        ..UploaderOptions::default()
    };
    view! {
        <Uploader options chunk_size/>
        <p>{count} " papers in this visit"</p>
    }
}

/// Called by the page's script once the wasm is there.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    leptos::mount::hydrate_islands();
}
