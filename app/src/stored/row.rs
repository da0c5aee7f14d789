//! A row of the list: to download, rename and delete.

use hoist_leptos::Erase as _;
use hoist_leptos::{
    Elsewhere, format_bytes,
    parts::{Text, button, download, fixed, keep_focus, when},
};
use hoist_protocol::{DeleteResult, Kind, Receipt, route};
use leptos::{
    ev, html,
    prelude::*,
    task::spawn_local,
    wasm_bindgen::JsCast as _,
    web_sys::{Element, HtmlInputElement},
};

use super::{BUTTON, Fate, Stored};
use crate::{delete_files, rename_file, restore_files};

/// One stored file, and what can be done with it.
pub(super) fn row(stored: Stored, receipt: &Receipt) -> AnyView {
    let id = receipt.id;
    let as_stored = RwSignal::new(receipt.stored_as.clone());
    let fate = stored.drawn.add(id);
    let is_renaming = RwSignal::new(false);
    // What went wrong, and what is only worth a word.
    let (said, noted) = (RwSignal::new(String::new()), RwSignal::new(String::new()));
    let name: Text = Memo::new(move |_| last_of(&as_stored.read()).to_owned()).into();
    let folder: Text = Signal::derive(move || {
        let path = as_stored.get();
        let name = last_of(&path).len();
        path.get(..path.len() - name).unwrap_or_default().to_owned()
    });
    let href: Text = Signal::derive(move || {
        let options = stored.uploader.options();
        format!("{}{}", options.endpoint, route::file(id, &name.get()))
    });
    // Two folders may have files of one name.
    let label = move |verb: &'static str| -> Text {
        Signal::derive(move || format!("{verb} {}", as_stored.get()))
    };

    let delete = move || {
        spawn_local(async move {
            match stored.settle(delete_files(vec![id]).await, said).as_deref() {
                Some([DeleteResult::Refused(body)]) => said.set(body.message.clone()),
                Some(results) => {
                    let (fate, until) = match results {
                        [DeleteResult::Deleting { until }] => (Fate::Deleted, Some(*until)),
                        _ => (Fate::Gone, None),
                    };
                    is_renaming.set(false);
                    stored.drawn.turn(id, fate);
                    let change = Elsewhere::Deleted { upload: id, until };
                    stored.uploader.changed_elsewhere(change);
                }
                None => {}
            }
        });
    };
    let restore = move || {
        spawn_local(async move {
            match stored
                .settle(restore_files(vec![id]).await, said)
                .as_deref()
            {
                Some([DeleteResult::Restored { receipt }]) => {
                    stored.drawn.turn(id, Fate::There);
                    let change = Elsewhere::Restored(receipt.clone());
                    stored.uploader.changed_elsewhere(change);
                }
                Some([DeleteResult::Refused(body)]) => said.set(body.message.clone()),
                Some(_) => said.set("It was too late to take that back.".to_owned()),
                None => {}
            }
        });
    };
    let rename = move |event: ev::SubmitEvent| {
        event.prevent_default();
        keep_focus();
        let Some(new) = field(&event).map(|field| field.value()) else {
            return;
        };
        spawn_local(async move {
            if let Some(receipt) = stored.settle(rename_file(id, new.clone()).await, said) {
                let now = last_of(&receipt.stored_as);
                if now != new {
                    noted.set(format!("It is called {now} now."));
                }
                as_stored.set(receipt.stored_as.clone());
                let change = Elsewhere::Renamed(receipt);
                stored.uploader.changed_elsewhere(change);
                is_renaming.set(false);
            }
        });
    };
    let stop = move || {
        is_renaming.set(false);
        said.set(String::new());
    };
    let says = Signal::derive(move || !said.read().is_empty());
    let notes = Signal::derive(move || !noted.read().is_empty());
    let is = move |wanted: Fate| {
        let fate = fate.clone();
        Signal::derive(move || fate.get() == wanted)
    };
    let (is_there, is_deleted) = (is(Fate::There), is(Fate::Deleted));
    // A folder without anything in it has no bytes to give.
    let is_file = receipt.kind == Kind::File;
    let has_bytes = Signal::derive(move || is_file && is_there.get());
    let asks_name = Signal::derive(move || is_renaming.get() && is_there.get());
    let offers_name = Signal::derive(move || !is_renaming.get() && is_there.get());
    let size = format_bytes(receipt.size);
    view! {
        <li class="stored__row" data-deleted=Signal::derive(move || (!is_there.get()).to_string())>
            <div class="stored__name">
                // A path begins on the left whatever the page is written in.
                <bdi dir="ltr">
                    <bdi class="stored__folder">{folder}</bdi>
                    <bdi>{name}</bdi>
                </bdi>
                <span class="stored__size">
                    <bdi>{size}</bdi>
                </span>
            </div>
            {when(has_bytes, move || download(BUTTON, href, name))}
            {when(offers_name, move || {
                button(BUTTON, fixed("Rename"), label("Rename"), move || {
                    noted.set(String::new());
                    is_renaming.set(true);
                })
            })}
            {when(is_there, move || button(BUTTON, fixed("Delete"), label("Delete"), delete))}
            {when(is_deleted, move || {
                button(BUTTON, fixed("Undo delete"), label("Undo delete of"), restore)
            })}
            {when(asks_name, move || {
                rename_form(name, label("New name for"), label("Cancel renaming"), rename, stop)
            })}
            {when(says, move || {
                view! { <p class="stored__said stored__problem" role="alert">{said}</p> }.erase()
            })}
            {when(notes, move || {
                view! { <p class="stored__said" role="alert">{noted}</p> }.erase()
            })}
        </li>
    }
    .erase()
}

/// Asks for another name; Escape leaves it.
fn rename_form(
    name: Text,
    label: Text,
    cancel_label: Text,
    rename: impl Fn(ev::SubmitEvent) + 'static,
    stop: impl Fn() + Copy + 'static,
) -> AnyView {
    let field = NodeRef::<html::Input>::new();
    Effect::new(move || {
        let Some(field) = field.get() else { return };
        let _ = field.focus();
        // What is mostly changed is what stands before the ending.
        let name = field.value();
        let stem = name.rfind('.').filter(|&dot| dot > 0);
        let stem = stem.and_then(|dot| name.get(..dot));
        let end = stem.unwrap_or(&name).encode_utf16().count();
        let _ = field.set_selection_range(0, u32::try_from(end).unwrap_or(u32::MAX));
    });
    let leave = move |event: ev::KeyboardEvent| {
        if event.key() == "Escape" {
            keep_focus();
            stop();
        }
    };
    view! {
        <form class="stored__rename" on:submit=rename on:keydown=leave>
            <input
                class="stored__field"
                aria-label=label
                value=name.get_untracked()
                node_ref=field
                required
                maxlength="255"
            />
            <button type="submit" class=BUTTON>
                "Save"
            </button>
            {button(BUTTON, fixed("Cancel"), cancel_label, stop)}
        </form>
    }
    .erase()
}

/// The name at the end of a path.
fn last_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// The field of a form that was sent.
fn field(event: &ev::SubmitEvent) -> Option<HtmlInputElement> {
    let form: Element = event.target()?.dyn_into().ok()?;
    form.query_selector("input").ok()??.dyn_into().ok()
}
