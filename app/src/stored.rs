//! All files that are stored: to download, rename and delete. Closed until somebody asks.

mod row;
mod used;

use std::sync::Arc;

use hoist_leptos::Erase as _;
use hoist_leptos::{
    Uploader, format_bytes,
    parts::{Item, button, fixed, list, paragraph, when},
};
use hoist_protocol::{ListCounts, UploadStatus, grouped};
use leptos::{ev, prelude::*, task::spawn_local, wasm_bindgen::JsCast as _, web_sys::Element};

pub(crate) use used::follow;

use crate::{AppError, finished_files};

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
            make: Arc::new(move || row::row(self, &receipt)),
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
                used::refresh(self.counts);
                Some(value)
            }
            Err(error) => {
                said.set(error.to_string());
                None
            }
        }
    }
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
