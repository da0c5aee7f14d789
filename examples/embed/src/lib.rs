//! The pages: two uploaders, one of them inside a form of the page's own.

use hoist_leptos::{
    Body, Notice, Restrictions, Uploader, UploaderOptions, VisibleRow, shared, use_uploader,
};
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
    let events = RwSignal::new(Vec::<&'static str>::new());
    let log = Callback::new(move |notice| events.update(|events| events.extend(word(&notice))));
    // The server has put the visitor's list there; the browser gets it with the page.
    let initial = shared(use_context::<ListResponse>);
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
        initial,
        ..UploaderOptions::default()
    };
    // A handle of the page's own: what it watches is what the component shows.
    let album = use_uploader(album);
    let papers = UploaderOptions {
        endpoint: UPLOADS.to_owned(),
        in_form: true,
        // What Safari is given by itself: a buffer per request instead of slices of files.
        body: Body::Buffer,
        directory: false,
        restrictions: Restrictions {
            min_file_size: Some(10),
            max_file_size: Some(1_000_000),
            max_total_size: Some(2_000_000),
            max_files: Some(4),
            accept: vec![".pdf".to_owned(), ".txt".to_owned()],
        },
        on_success: Some(count),
        on_event: Some(log),
        ..UploaderOptions::default()
    };
    let (all, of, rows) = (album.overview(), album.overview(), album.visible());
    view! {
        <h1>"Gallery"</h1>
        <p id="stored">{stored} " stored in this visit"</p>
        <p>
            <progress
                id="all"
                value=move || all.read().totals.shown.to_string()
                max=move || of.read().totals.bytes.max(1).to_string()
            />
        </p>
        <ul id="each">
            <For each=move || rows.get() key=|row| row.serial children=progress/>
        </ul>
        <section id="album">
            <h2>"Pictures"</h2>
            <Uploader uploader=album/>
        </section>
        <form id="claim" method="get" action="/">
            <h2>"Papers"</h2>
            <label>
                "Subject " <input name="subject" required/>
            </label>
            <Uploader options=papers/>
            <button type="submit">"File the claim"</button>
        </form>
        <p id="events">{move || events.read().join(" ")}</p>
    }
}

/// One file's progress, in the page's own words.
fn progress(row: VisibleRow) -> impl IntoView {
    let file = row.file;
    move || {
        let file = file.read();
        view! { <li>{format!("{}: {} of {}", file.name, file.shown, file.size)}</li> }
    }
}

/// What the page writes down of what happens.
fn word(notice: &Notice) -> Option<&'static str> {
    match notice {
        Notice::FileAdded(_) => Some("added"),
        Notice::Started(_) => Some("started"),
        Notice::Chunk { .. } => Some("chunk"),
        Notice::Success { .. } => Some("success"),
        Notice::Complete => Some("complete"),
        _ => None,
    }
}

/// Called by the page's script once the wasm is there.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    leptos::mount::hydrate_body(App);
}
