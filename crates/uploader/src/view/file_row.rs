//! One file.

use crate::Erase as _;
use hoist_protocol::{FileState, OnConflict, Receipt};
use leptos::prelude::*;

use super::{
    parts::{Text, button, download, either, fixed, progress, when},
    thumbnail::picture,
};
use crate::{FileKey, FileView, Uploader, VisibleRow, browser, format};

const ACT_BAD: &str = "hoist-uploader__act hoist-uploader__act--bad";

/// One row of the list. All rows have one height, whatever they say.
pub(super) fn row(uploader: Uploader, row: &VisibleRow, size: Text) -> AnyView {
    let key = row.key;
    let file = &row.file;
    let (name, folder, badge, family) = file.with_untracked(|file| {
        let (family, badge) =
            format::badge(&file.name, file.media_type.as_deref(), file.is_directory);
        let folder = format!("{}/", file.path);
        let folder = (!file.path.is_empty())
            .then(|| view! { <bdi class="hoist-uploader__path">{folder}</bdi> });
        (file.name.to_string(), folder, badge, family)
    });
    // Two folders may have files of one name: what cannot be seen is told apart by it.
    let full_name = file.with_untracked(|file| match &*file.path {
        "" => name.clone(),
        path => format!("{path}/{name}"),
    });
    let label = fixed(full_name.clone());
    let (max, value) = (
        of(file, |f| f.size.max(1).to_string()),
        of(file, |f| f.shown.to_string()),
    );
    let bar = when(is(file, has_progress), move || {
        progress("hoist-uploader__progress", label, max, value)
    });
    let of_receipt = file.clone();
    let receipt = when(is(file, has_hash), move || {
        receipt_view(uploader, &of_receipt)
    });
    let (stem, ending) = format::split_ending(&name);
    let stem = stem.to_owned();
    let ending = (!ending.is_empty()).then(|| ending.to_owned());
    let ending = ending.map(|ending| view! { <span>{ending}</span> });
    let icon = format!("hoist-uploader__icon hoist-uploader__icon--{family}");
    let place = NodeRef::new();
    if family == "image" {
        picture(uploader, key, file, place);
    }
    view! {
        <li
            class="hoist-uploader__row"
            role="listitem"
            data-key=key.0.to_string()
            data-state=of(file, |f| f.state.name().to_owned())
            aria-setsize=size
            aria-posinset=of(file, |f| (f.position + 1).to_string())
        >
            <div class=icon aria-hidden="true" node_ref=place>
                {badge}
            </div>
            <div class="hoist-uploader__about">
                <p class="hoist-uploader__title">
                    {folder}
                    <bdi class="hoist-uploader__name">
                        <span class="hoist-uploader__stem">{stem}</span>
                        {ending}
                    </bdi>
                </p>
                <p class="hoist-uploader__line">
                    <bdi class="hoist-uploader__state" title=of(file, words)>
                        {of(file, words)}
                    </bdi>
                    {receipt}
                </p>
                {bar}
            </div>
            <div class="hoist-uploader__actions">{buttons(uploader, key, file, &full_name)}</div>
        </li>
    }
    .erase()
}

fn of(file: &ArcRwSignal<FileView>, say: fn(&FileView) -> String) -> Text {
    let file = file.clone();
    Memo::new(move |_| say(&file.read())).into()
}

fn is(file: &ArcRwSignal<FileView>, ask: fn(&FileView) -> bool) -> Signal<bool> {
    let file = file.clone();
    Signal::derive(move || ask(&file.read()))
}

/// Whether there is a receipt with a hash: that of a folder has none.
fn has_hash(file: &FileView) -> bool {
    file.receipt().is_some_and(|receipt| receipt.hash.is_some())
}

/// The name under which it is stored; it may be renamed.
fn receipt_name(file: &FileView) -> String {
    file.receipt()
        .map_or_else(String::new, |receipt| receipt.name.clone())
}

fn receipt_view(uploader: Uploader, file: &ArcRwSignal<FileView>) -> AnyView {
    let hash = file.with_untracked(|file| file.receipt().and_then(|receipt| receipt.hash));
    let hash = hash.map_or_else(String::new, |hash| hash.to_string());
    let name = of(file, receipt_name);
    let of_href = file.clone();
    let href: Text = Signal::derive(move || {
        let file = of_href.read();
        let receipt = file.receipt();
        receipt.map_or_else(String::new, |receipt| uploader.options().address(receipt))
    });
    let title = format!("BLAKE3 {hash}");
    let mut short: String = hash.chars().take(8).collect();
    short.push('…');
    let is_copied = RwSignal::new(false);
    let word = either(is_copied.into(), "Copied", "Copy hash");
    let label = Signal::derive(move || format!("Copy the BLAKE3 hash of {}", name.get()));
    let for_copy = hash.clone();
    let copy = button("hoist-uploader__link", word, label, move || {
        copy(&for_copy, is_copied);
    });
    view! {
        <span class="hoist-uploader__receipt">
            <code class="hoist-uploader__hash" data-hash=hash title=title>
                {short}
            </code>
            {copy}
            {download("hoist-uploader__link", href, name)}
        </span>
    }
    .erase()
}

/// What a person can do with the row now.
fn buttons(uploader: Uploader, key: FileKey, file: &ArcRwSignal<FileView>, name: &str) -> AnyView {
    let action = |is_offered: fn(&FileView) -> bool,
                  kind: &'static str,
                  word: &'static str,
                  run: fn(Uploader, FileKey)| {
        let label = fixed(format!("{word} {name}"));
        when(is(file, is_offered), move || {
            button(kind, fixed(word), label, move || run(uploader, key))
        })
    };
    // One button for both, so that it keeps the focus when it turns into the other.
    let word = of(file, |f| {
        if f.offers.resume { "Resume" } else { "Pause" }.to_owned()
    });
    let resumes = is(file, |f| f.offers.resume);
    let for_toggle = name.to_owned();
    let toggle_label = Signal::derive(move || format!("{} {for_toggle}", word.get()));
    let toggle = when(is(file, |f| f.offers.pause || f.offers.resume), move || {
        button("hoist-uploader__act", word, toggle_label, move || {
            if resumes.get_untracked() {
                uploader.resume(key);
            } else {
                uploader.pause(key);
            }
        })
    });
    (
        toggle,
        action(
            |f| f.offers.resolve,
            "hoist-uploader__act",
            "Keep both",
            |uploader, key| {
                uploader.resolve(key, Some(OnConflict::KeepBoth));
            },
        ),
        action(
            |f| f.offers.resolve,
            "hoist-uploader__act",
            "Skip",
            |uploader, key| {
                uploader.resolve(key, None);
            },
        ),
        action(
            |f| f.offers.retry,
            "hoist-uploader__act",
            "Try again",
            Uploader::retry,
        ),
        action(
            |f| f.offers.restore,
            "hoist-uploader__act",
            "Undo delete",
            Uploader::restore,
        ),
        action(can_be_cancelled, ACT_BAD, "Cancel", Uploader::cancel),
        action(can_be_discarded, ACT_BAD, "Discard", Uploader::cancel),
        action(
            |f| f.offers.delete,
            "hoist-uploader__act hoist-uploader__act--bad",
            "Delete",
            Uploader::delete,
        ),
        action(
            can_only_be_removed,
            "hoist-uploader__act",
            "Remove",
            Uploader::remove,
        ),
    )
        .erase()
}

/// A conflict is answered by *Skip*, and what is over is *removed*.
fn can_be_cancelled(file: &FileView) -> bool {
    let offers = file.offers;
    offers.cancel && !offers.resolve && !matches!(file.state, FileState::NeedsFile)
}

/// What an earlier visit left behind goes for good: that is not merely cancelling.
fn can_be_discarded(file: &FileView) -> bool {
    file.offers.cancel && matches!(file.state, FileState::NeedsFile)
}

/// Of a stored file *Delete* is offered; *Remove* beside it would be mistaken for it.
fn can_only_be_removed(file: &FileView) -> bool {
    let offers = file.offers;
    offers.remove && !offers.resolve && !offers.cancel && file.receipt().is_none()
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

/// The state in words, the size, and under which other name the file is stored.
fn words(file: &FileView) -> String {
    let word = file.state.word();
    if file.is_directory {
        return format!("{word} · Folder");
    }
    let size = format::bytes(file.size);
    match &file.state {
        FileState::Failed { words, .. } => format!("{word} · {words}"),
        FileState::FileChanged => format!("{word} since its first part was sent · {size}"),
        FileState::Deleting(_) if file.offers.restore => {
            format!("{word} · {size} · can still be undone")
        }
        FileState::Conflict => format!("{word} · another file is stored under it"),
        _ if has_progress(file) && file.shown > 0 => {
            let percent = format::percent(file.shown, file.size);
            let size = format::part_of(file.shown, file.size);
            let dot = if matches!(file.state, FileState::NeedsFile) {
                " ·"
            } else {
                ""
            };
            format!("{word}{dot} {percent} % · {size}")
        }
        _ => {
            let other = file.receipt().and_then(|receipt| other_name(file, receipt));
            let other = other.map(|name| format!(" · stored as {name}"));
            format!("{word} · {size}{}", other.unwrap_or_default())
        }
    }
}

/// What the server has stored it under, if that is not what the row is called; without the folder, if that is the same.
fn other_name<'a>(file: &FileView, receipt: &'a Receipt) -> Option<&'a str> {
    let stored_as = &receipt.stored_as;
    let (folder, name) = stored_as.rsplit_once('/').unwrap_or(("", stored_as));
    match (*folder == *file.path, *name == *file.name) {
        (true, true) => None,
        (true, false) => Some(name),
        (false, _) => Some(stored_as),
    }
}

/// Puts a text on the clipboard, and says so once it is there. Nothing happens where there is none,
/// as on a page without TLS.
fn copy(text: &str, is_copied: RwSignal<bool>) {
    let written = browser::copy(text);
    browser::spawn(async move {
        if wasm_bindgen_futures::JsFuture::from(written).await.is_ok() {
            // The row may be gone by now.
            is_copied.try_set(true);
        }
    });
}
