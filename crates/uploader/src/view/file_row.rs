//! One file.

use hoist_engine::Offers;
use hoist_protocol::{FileState, OnConflict, route};
use leptos::prelude::*;

use crate::{FileView, Uploader, VisibleRow, browser, format};

/// One row of the list. All rows have one height, whatever they say.
#[component]
pub(super) fn Row(uploader: Uploader, row: VisibleRow, size: Signal<usize>) -> impl IntoView {
    let key = row.key;
    let file = row.file;
    let (name, folder, badge, family) = file.with_untracked(|file| {
        let (family, badge) =
            format::badge(&file.name, file.media_type.as_deref(), file.is_directory);
        let folder = (!file.path.is_empty()).then(|| format!("{}/", file.path));
        (file.name.to_string(), folder, badge, family)
    });
    let (state, position, progress, line, receipt) = (
        file.clone(),
        file.clone(),
        file.clone(),
        file.clone(),
        file.clone(),
    );
    let receipt = Memo::new(move |_| receipt.read().receipt().cloned());
    let is_moving = Memo::new(move |_| has_progress(&progress.read()));
    let (max, value, for_label) = (file.clone(), file.clone(), name.clone());
    let bar = move || {
        let (max, value, name) = (max.clone(), value.clone(), for_label.clone());
        is_moving.get().then(move || {
            view! {
                <progress
                    class="hoist-uploader__progress"
                    aria-label=name
                    max=move || max.read().size.max(1).to_string()
                    value=move || value.read().shown.to_string()
                ></progress>
            }
        })
    };
    let endpoint = uploader.options().endpoint.clone();

    view! {
        <li
            class="hoist-uploader__row"
            role="listitem"
            data-key=key.0.to_string()
            data-state=move || state.read().state.name()
            aria-setsize=move || size.get().to_string()
            aria-posinset=move || (position.read().position + 1).to_string()
        >
            <span class=format!("hoist-uploader__icon hoist-uploader__icon--{family}") aria-hidden="true">
                {badge}
            </span>
            <div class="hoist-uploader__about">
                <p class="hoist-uploader__title">
                    {folder.map(|folder| view! { <bdi class="hoist-uploader__path">{folder}</bdi> })}
                    <bdi class="hoist-uploader__name">{name.clone()}</bdi>
                </p>
                <p class="hoist-uploader__line">
                    <span class="hoist-uploader__state">{move || words(&line.read())}</span>
                    {move || {
                        let endpoint = endpoint.clone();
                        receipt.get().and_then(|receipt| receipt.hash).map(|hash| {
                            receipt_view(&endpoint, &receipt.get_untracked(), &hash.to_string())
                        })
                    }}
                </p>
                {bar}
            </div>
            <div class="hoist-uploader__actions">
                <Buttons uploader file name/>
            </div>
        </li>
    }
    .into_any()
}

fn receipt_view(
    endpoint: &str,
    receipt: &Option<hoist_protocol::Receipt>,
    hash: &str,
) -> Option<impl IntoView + use<>> {
    let receipt = receipt.as_ref()?;
    let href = format!("{endpoint}{}", route::file(receipt.id, &receipt.name));
    let (copied, set_copied) = signal(false);
    let for_copy = hash.to_owned();
    let label = format!("Copy the BLAKE3 hash of {}", receipt.name);
    let download = format!("Download {}", receipt.name);
    let file_name = receipt.name.clone();
    let short: String = hash.chars().take(8).collect();
    Some(view! {
        <span class="hoist-uploader__receipt">
            <code class="hoist-uploader__hash" data-hash=hash.to_owned() title=format!("BLAKE3 {hash}")>
                {short}
                "…"
            </code>
            <button
                type="button"
                class="hoist-uploader__link"
                aria-label=label
                on:click=move |_| {
                    if copy(&for_copy) {
                        set_copied.set(true);
                    }
                }
            >
                {move || if copied.get() { "Copied" } else { "Copy" }}
            </button>
            <a class="hoist-uploader__link" href=href download=file_name aria-label=download>
                "Download"
            </a>
        </span>
    })
}

/// What a person can do with the row now.
#[component]
fn Buttons(uploader: Uploader, file: ArcRwSignal<FileView>, name: String) -> impl IntoView {
    let key = file.with_untracked(|file| file.key);
    let offers = {
        let file = file.clone();
        Memo::new(move |_| file.read().offers)
    };
    let is_done = Memo::new(move |_| file.read().receipt().is_some());
    let name = StoredValue::new(name);
    let button = move |is_offered: fn(Offers) -> bool,
                       kind: &'static str,
                       word: &'static str,
                       run: fn(Uploader, crate::FileKey)| {
        let is_offered = Memo::new(move |_| is_offered(offers.get()));
        move || {
            is_offered.get().then(|| {
                let label = name.with_value(|name| format!("{word} {name}"));
                view! {
                    <button
                        type="button"
                        class=format!("hoist-uploader__act hoist-uploader__act--{kind}")
                        aria-label=label
                        title=word
                        on:click=move |_| run(uploader, key)
                    >
                        <span class="hoist-uploader__word">{word}</span>
                    </button>
                }
            })
        }
    };
    // One button for both, so that it keeps the focus when it turns into the other.
    let can_toggle = Memo::new(move |_| {
        let offers = offers.get();
        offers.pause || offers.resume
    });
    let resumes = Memo::new(move |_| offers.get().resume);
    let toggle = move || {
        can_toggle.get().then(|| {
            let word = move || if resumes.get() { "Resume" } else { "Pause" };
            view! {
                <button
                    type="button"
                    class="hoist-uploader__act"
                    class=("hoist-uploader__act--pause", move || !resumes.get())
                    class=("hoist-uploader__act--resume", move || resumes.get())
                    aria-label=move || name.with_value(|name| format!("{} {name}", word()))
                    title=word
                    on:click=move |_| {
                        if resumes.get_untracked() {
                            uploader.resume(key);
                        } else {
                            uploader.pause(key);
                        }
                    }
                >
                    <span class="hoist-uploader__word">{word}</span>
                </button>
            }
        })
    };
    let remove = Memo::new(move |_| offers.get().remove && !is_done.get());
    view! {
        {toggle}
        {button(|o| o.resolve, "text", "Keep both", |uploader, key| uploader.resolve(key, Some(OnConflict::KeepBoth)))}
        {button(|o| o.resolve, "text", "Skip", |uploader, key| uploader.resolve(key, None))}
        {button(|o| o.retry, "retry", "Try again", Uploader::retry)}
        {button(|o| o.restore, "text", "Undo delete", Uploader::restore)}
        {button(|o| o.cancel, "cancel", "Cancel", Uploader::cancel)}
        {button(|o| o.delete, "delete", "Delete", Uploader::delete)}
        {move || {
            remove.get().then(|| {
                let label = name.with_value(|name| format!("Take {name} off the list"));
                view! {
                    <button
                        type="button"
                        class="hoist-uploader__act hoist-uploader__act--remove"
                        aria-label=label
                        title="Take off the list"
                        on:click=move |_| uploader.remove(key)
                    >
                        <span class="hoist-uploader__word">"Remove"</span>
                    </button>
                }
            })
        }}
    }
    .into_any()
}

/// Whether a bar says something that the words do not.
fn has_progress(file: &FileView) -> bool {
    file.size > 0
        && matches!(
            file.state,
            FileState::Queued
                | FileState::Checking
                | FileState::Uploading
                | FileState::Retrying(_)
                | FileState::NeedsFile
                | FileState::Paused(_)
        )
}

/// The state in words, and the size.
fn words(file: &FileView) -> String {
    let word = file.state.word();
    if file.is_directory {
        return format!("{word} · Folder");
    }
    let size = format::bytes(file.size);
    match &file.state {
        FileState::Failed { words, .. } => format!("{word} · {words}"),
        FileState::FileChanged => format!("{word} since its first part was sent · {size}"),
        FileState::Conflict => format!("{word} · another file is stored under it"),
        _ if has_progress(file) && file.shown > 0 => {
            let percent = format::percent(file.shown, file.size);
            format!(
                "{word} · {} of {size} · {percent} %",
                format::bytes(file.shown)
            )
        }
        _ => format!("{word} · {size}"),
    }
}

/// Puts a text on the clipboard; `false` where there is none, as on a page without TLS.
fn copy(text: &str) -> bool {
    let Some(navigator) = browser::window().map(|window| window.navigator()) else {
        return false;
    };
    if browser::property(&navigator, "clipboard").is_none() {
        return false;
    }
    let promise = navigator.clipboard().write_text(text);
    wasm_bindgen_futures::spawn_local(async move {
        let _ = wasm_bindgen_futures::JsFuture::from(promise).await;
    });
    true
}
