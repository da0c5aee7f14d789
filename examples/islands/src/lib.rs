//! The page, and the one island in it.

use hoist_leptos::Uploader;
use leptos::prelude::*;

/// What comes alive: the uploader and what is to react to it.
#[island]
pub fn Uploads() -> impl IntoView {
    view! { <Uploader/> }
}

/// The page around it, which stays HTML.
#[component]
pub fn App() -> impl IntoView {
    view! {
        <h1>"Islands"</h1>
        <p>"This paragraph is in no wasm."</p>
        <Uploads/>
    }
}

/// Called by the page's script once the wasm is there.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    leptos::mount::hydrate_islands();
}
