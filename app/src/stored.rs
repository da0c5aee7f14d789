//! All files that are stored: to download, rename and delete. Closed until somebody asks.

use std::{sync::Arc, time::Duration};

use hoist_leptos::Erase as _;
use hoist_leptos::{
    Elsewhere, Overview, Uploader, format_bytes,
    parts::{Item, Text, button, download, fixed, keep_focus, list, paragraph, when},
};
use hoist_protocol::{DeleteResult, Kind, ListCounts, Receipt, UploadStatus, grouped, route};
use leptos::{
    ev, html,
    prelude::*,
    task::spawn_local,
    wasm_bindgen::JsCast as _,
    web_sys::{Element, HtmlInputElement},
};

use crate::{AppError, delete_files, finished_files, rename_file, restore_files, storage_used};

/// How often it is asked how much is stored while that changes.
const REFRESH: Duration = Duration::from_secs(2);
const BUTTON: &str = "stored__button";

/// The list's signals, to be passed around.
#[derive(Clone, Copy)]
struct Stored {
    /// Shows some of these files, too, and is told what becomes of them here.
    uploader: Uploader,
    endpoint: StoredValue<String>,
    files: RwSignal<Vec<Item>>,
    next: RwSignal<Option<String>>,
    problem: RwSignal<String>,
    is_asking: RwSignal<bool>,
    counts: RwSignal<ListCounts>,
    /// How many files there were when the list was asked for, less those that were deleted here.
    shown: RwSignal<Option<u64>>,
}

impl Stored {
    /// Asks for a page; the first one replaces what is there.
    fn ask(self, after: Option<String>) {
        if self.is_asking.get_untracked() {
            return;
        }
        self.is_asking.set(true);
        spawn_local(async move {
            let is_first = after.is_none();
            let answer = finished_files(after).await;
            self.is_asking.set(false);
            match answer {
                Ok(page) => {
                    self.files.update(|files| {
                        if is_first {
                            files.clear();
                        }
                        files.extend(
                            page.uploads
                                .into_iter()
                                .filter_map(|upload| self.item(upload)),
                        );
                    });
                    self.next.set(page.next);
                    if is_first {
                        self.shown.set(Some(page.counts.finished));
                    }
                    self.counts.set(page.counts);
                    self.problem.set(String::new());
                }
                Err(error) => self.problem.set(error.to_string()),
            }
        });
    }

    fn item(self, upload: UploadStatus) -> Option<Item> {
        let UploadStatus::Finished { receipt } = upload else {
            return None;
        };
        Some(Item {
            serial: next_serial(),
            make: Arc::new(move || row(self, &receipt)),
        })
    }

    /// So many files were deleted here or are back: nothing new for who looks at the list.
    fn count(self, by: i64) {
        let change = |count: u64| count.saturating_add_signed(by);
        self.shown.update(|shown| *shown = shown.map(change));
        self.counts
            .update(|counts| counts.finished = change(counts.finished));
    }

    /// Says in its row what went wrong, if anything did, and asks how much there is now.
    fn settle<T>(self, answer: Result<T, AppError>, said: RwSignal<String>) -> Option<T> {
        match answer {
            Ok(value) => {
                said.set(String::new());
                refresh(self.counts);
                Some(value)
            }
            Err(error) => {
                said.set(error.to_string());
                None
            }
        }
    }
}

/// Asks how much is stored.
fn refresh(counts: RwSignal<ListCounts>) {
    spawn_local(async move {
        if let Ok(now) = storage_used().await {
            // The page may have gone meanwhile.
            counts.try_set(now);
        }
    });
}

/// Asks again how much is stored whenever the uploader has stored or deleted something: at once, and
/// [once in a while](REFRESH) as long as that goes on.
pub(crate) fn follow(overview: ArcReadSignal<Overview>, counts: RwSignal<ListCounts>) {
    let changed = Memo::new(move |_| {
        let totals = &overview.read().totals;
        let gone = (totals.cancelled, totals.deleting, totals.deleted);
        (totals.finished, totals.listed_finished, gone)
    });
    let pause = StoredValue::new(Pause::Over);
    Effect::new(move |before: Option<()>| {
        // To track alone would not make the memo look at what it follows.
        changed.get();
        if before.is_none() {
            return;
        }
        match pause.get_value() {
            Pause::Over => ask_and_pause(counts, pause),
            Pause::Quiet | Pause::Changed => pause.set_value(Pause::Changed),
        }
    });
}

/// The time after an answer was asked for.
#[derive(Clone, Copy)]
enum Pause {
    Over,
    Quiet,
    Changed,
}

fn ask_and_pause(counts: RwSignal<ListCounts>, pause: StoredValue<Pause>) {
    refresh(counts);
    pause.set_value(Pause::Quiet);
    let go_on = move || match pause.try_get_value() {
        Some(Pause::Changed) => ask_and_pause(counts, pause),
        Some(Pause::Over | Pause::Quiet) => pause.set_value(Pause::Over),
        None => {} // the page has gone
    };
    set_timeout(go_on, REFRESH);
}

fn next_serial() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The section: how much is stored, and on demand what.
pub(crate) fn stored(uploader: Uploader, counts: RwSignal<ListCounts>) -> AnyView {
    let stored = Stored {
        uploader,
        endpoint: StoredValue::new(uploader.options().endpoint.clone()),
        files: RwSignal::new(Vec::new()),
        next: RwSignal::new(None),
        problem: RwSignal::new(String::new()),
        is_asking: RwSignal::new(false),
        counts,
        shown: RwSignal::new(None),
    };
    let on_toggle = move |event: ev::Event| {
        let details = event
            .target()
            .and_then(|target| target.dyn_into::<Element>().ok());
        if details.is_some_and(|details| details.has_attribute("open")) {
            stored.ask(None);
        }
    };
    // What is gone elsewhere must not stand here, and where nothing stands, what is new moves nothing.
    Effect::new(move || {
        let finished = counts.read().finished;
        let shown = stored.shown.get();
        if shown.is_some_and(|shown| finished < shown || (shown == 0 && finished > 0)) {
            stored.ask(None);
        }
    });
    let sum = Signal::derive(move || {
        let counts = counts.get();
        let files = if counts.finished == 1 {
            "file"
        } else {
            "files"
        };
        format!(
            "{} {files}, {}",
            grouped(counts.finished),
            format_bytes(counts.finished_bytes)
        )
    });
    let has_problem = Signal::derive(move || !stored.problem.read().is_empty());
    let has_more = Signal::derive(move || stored.next.read().is_some());
    // They would move what somebody is looking at, so they come when asked for; the newest are first.
    let has_new = Signal::derive(move || {
        let shown = stored.shown.get();
        shown.is_some_and(|shown| counts.read().finished > shown)
    });
    view! {
        <details class="stored" data-files=move || counts.get().finished on:toggle=on_toggle>
            <summary class="stored__summary">
                "On the server: " <span class="stored__sum">{sum}</span>
            </summary>
            {when(has_problem, move || paragraph("stored__problem", stored.problem.into()))}
            {when(has_new, move || {
                button(BUTTON, fixed("Show new files"), fixed("Show new files"), move || stored.ask(None))
            })}
            <ul class="stored__list" role="list">
                {list(stored.files.into())}
            </ul>
            {when(has_more, move || {
                button(BUTTON, fixed("Show more"), fixed("Show more files"), move || {
                    stored.ask(stored.next.get_untracked());
                })
            })}
            {when(stored.is_asking.into(), || paragraph("stored__wait", fixed("Loading…")))}
        </details>
    }
    .erase()
}

fn row(stored: Stored, receipt: &Receipt) -> AnyView {
    let id = receipt.id;
    let as_stored = RwSignal::new(receipt.stored_as.clone());
    let (is_deleted, is_renaming) = (RwSignal::new(false), RwSignal::new(false));
    // What went wrong, and what is only worth a word.
    let (said, noted) = (RwSignal::new(String::new()), RwSignal::new(String::new()));
    let name: Text = Memo::new(move |_| last_of(&as_stored.read()).to_owned()).into();
    let folder: Text = Signal::derive(move || {
        let path = as_stored.get();
        let name = last_of(&path).len();
        path.get(..path.len() - name).unwrap_or_default().to_owned()
    });
    let href: Text = Signal::derive(move || {
        let endpoint = stored.endpoint.get_value();
        format!("{endpoint}{}", route::file(id, &name.get()))
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
                    let until = match results {
                        [DeleteResult::Deleting { until }] => Some(*until),
                        _ => None,
                    };
                    is_renaming.set(false);
                    is_deleted.set(true);
                    stored.count(-1);
                    stored
                        .uploader
                        .changed_elsewhere(id, Elsewhere::Deleted { until });
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
                    is_deleted.set(false);
                    stored.count(1);
                    let change = Elsewhere::Restored(receipt.clone());
                    stored.uploader.changed_elsewhere(id, change);
                }
                Some([DeleteResult::Refused(body)]) => said.set(body.message.clone()),
                Some(_) => said.set("It was too late to take that back.".to_owned()),
                None => {}
            }
        });
    };
    let rename = move |event: ev::SubmitEvent| {
        event.prevent_default();
        if let Some(form) = event.current_target() {
            keep_focus(&form);
        }
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
                stored.uploader.changed_elsewhere(id, change);
                is_renaming.set(false);
            }
        });
    };
    let word = move |opened: &'static str| if is_renaming.get() { opened } else { "Rename" };
    let rename_word: Text = Signal::derive(move || word("Cancel").to_owned());
    let rename_label: Text =
        Signal::derive(move || format!("{} {}", word("Cancel renaming"), as_stored.get()));
    let field_ref = NodeRef::<html::Input>::new();
    // Not `on_load`, which panics when the field comes a second time.
    Effect::new(move || {
        if let Some(field) = field_ref.get() {
            let _ = field.focus();
        }
    });
    let says = Signal::derive(move || !said.read().is_empty());
    let notes = Signal::derive(move || !noted.read().is_empty());
    let is_there = Signal::derive(move || !is_deleted.get());
    // A folder without anything in it has no bytes to give.
    let is_file = receipt.kind == Kind::File;
    let has_bytes = Signal::derive(move || is_file && !is_deleted.get());
    let asks_name = Signal::derive(move || is_renaming.get() && !is_deleted.get());
    let size = format_bytes(receipt.size);
    view! {
        <li class="stored__row" data-deleted=Signal::derive(move || is_deleted.get().to_string())>
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
            {when(is_there, move || {
                button(BUTTON, rename_word, rename_label, move || {
                    is_renaming.update(|is| *is = !*is);
                    said.set(String::new());
                    noted.set(String::new());
                })
            })}
            {when(is_there, move || button(BUTTON, fixed("Delete"), label("Delete"), delete))}
            {when(is_deleted.into(), move || {
                button(BUTTON, fixed("Undo delete"), label("Undo delete of"), restore)
            })}
            {when(asks_name, move || {
                view! {
                    <form class="stored__rename" on:submit=rename>
                        <input
                            class="stored__field"
                            aria-label=label("New name for")
                            value=name.get_untracked()
                            node_ref=field_ref
                            required
                            maxlength="255"
                        />
                        <button type="submit" class=BUTTON>
                            "Save"
                        </button>
                    </form>
                }
                .erase()
            })}
            {when(says, move || {
                view! { <p class="stored__said stored__problem" role="alert">{said}</p> }.erase()
            })}
            {when(notes, move || {
                view! { <p class="stored__said" role="status">{noted}</p> }.erase()
            })}
        </li>
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
