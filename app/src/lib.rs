//! Hoist's page: an uploader, and all files that are stored.
//!
//! [`App`] renders the same on the server and in the browser. With the feature `ssr` there is also
//! [`server::pages`], the router that serves it. This crate knows pages and server functions; it
//! deliberately knows nothing of chunks, packs and retries.

#[allow(unreachable_pub, reason = "what the macro makes is `pub`")]
mod api;
mod data;
#[cfg(feature = "ssr")]
mod plain;
#[cfg(feature = "ssr")]
pub mod server;
#[cfg(feature = "ssr")]
mod shell;
mod stored;

pub use api::{AppError, delete_files, finished_files, rename_file, restore_files, storage_used};
pub use data::PageData;
#[cfg(feature = "ssr")]
pub use shell::shell;

use hoist_leptos::Erase as _;
use hoist_leptos::{Uploader, UploaderOptions, shared, use_uploader};
use leptos::prelude::*;

/// The page.
///
/// # Server rendering
///
/// Reads [`PageData`] from the context on the server; the browser gets it with the page.
#[component]
pub fn App() -> impl IntoView {
    let data: PageData = shared(|| use_context().unwrap_or_default());
    let counts = RwSignal::new(data.list.counts);
    let drawn = stored::Drawn::new(counts);
    let uploader = use_uploader(UploaderOptions {
        endpoint: data.endpoint,
        initial: Some(data.list),
        drop_on_page: true,
        on_event: Some(Callback::new(move |notice| drawn.hear(&notice))),
        ..UploaderOptions::default()
    });
    stored::follow(uploader.overview(), counts);
    view! {
        <main class="page">
            <header class="page__head">
                <h1 class="page__title">"Hoist"</h1>
                <p class="page__lead">
                    "Uploads files of any size, goes on where it stopped, and proves that each one has arrived whole."
                </p>
            </header>
            <Uploader uploader/>
            {stored::stored(uploader, drawn)}
        </main>
    }
    .erase()
}
