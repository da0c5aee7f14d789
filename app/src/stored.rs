//! All files that are stored: to download, rename and delete. Closed until somebody asks.

mod row;
mod used;

use std::sync::Arc;

use hoist_leptos::Erase as _;
use hoist_leptos::{
    Notice, Uploader, format_bytes,
    parts::{Item, button, fixed, list, paragraph, when},
};
use hoist_protocol::{ListCounts, UploadId, UploadStatus, grouped};
use leptos::{ev, prelude::*, task::spawn_local, wasm_bindgen::JsCast as _, web_sys::Element};

pub(crate) use used::follow;

use crate::{AppError, finished_files};

const BUTTON: &str = "stored__button";

/// What became of a file since it was drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    There,
    /// It can be restored.
    Deleted,
    Gone,
}

/// The files that are drawn, and how many there are: what the list and the uploader beside it tell each other.
#[derive(Clone, Copy)]
pub(crate) struct Drawn {
    rows: StoredValue<Vec<(UploadId, ArcRwSignal<Fate>)>>,
    counts: RwSignal<ListCounts>,
    /// How many files there were when the list was asked for, less those that were deleted since and drawn.
    shown: RwSignal<Option<u64>>,
    /// How often something became of one.
    turns: StoredValue<u32>,
}

impl Drawn {
    pub(crate) fn new(counts: RwSignal<ListCounts>) -> Self {
        Self {
            rows: StoredValue::new(Vec::new()),
            counts,
            shown: RwSignal::new(None),
            turns: StoredValue::new(0),
        }
    }

    /// The uploader has deleted a file, or restored it.
    pub(crate) fn hear(self, notice: &Notice) {
        match notice {
            Notice::Deleted { upload, .. } => self.turn(*upload, Fate::Deleted),
            Notice::Restored { upload, .. } => self.turn(*upload, Fate::There),
            _ => {}
        }
    }

    fn add(self, id: UploadId) -> ArcRwSignal<Fate> {
        let fate = ArcRwSignal::new(Fate::There);
        self.rows.update_value(|rows| {
            rows.retain(|(drawn, _)| *drawn != id);
            rows.push((id, fate.clone()));
        });
        fate
    }

    /// Nothing new for who looks at the list, but in its row and in the sums.
    fn turn(self, id: UploadId, fate: Fate) {
        self.turns
            .update_value(|turns| *turns = turns.wrapping_add(1));
        let row = self.rows.with_value(|rows| {
            let row = rows.iter().find(|(drawn, _)| *drawn == id);
            row.map(|(_, fate)| fate.clone())
        });
        let Some(row) = row else { return };
        let before = row.get_untracked();
        if before == fate {
            return;
        }
        row.set(fate);
        let by = i64::from(fate == Fate::There) - i64::from(before == Fate::There);
        let change = |count: u64| count.saturating_add_signed(by);
        self.shown.update(|shown| *shown = shown.map(change));
        self.counts
            .update(|counts| counts.finished = change(counts.finished));
    }
}

/// The list's signals, to be passed around.
#[derive(Clone, Copy)]
struct Stored {
    /// Shows some of these files, too, and is told what becomes of them here.
    uploader: Uploader,
    drawn: Drawn,
    files: RwSignal<Vec<Item>>,
    next: RwSignal<Option<String>>,
    problem: RwSignal<String>,
    is_asking: RwSignal<bool>,
    is_open: RwSignal<bool>,
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
            let turns = self.drawn.turns.get_value();
            let answer = finished_files(after.clone()).await;
            self.is_asking.set(false);
            if self.drawn.turns.get_value() != turns {
                // It may be of before that.
                return self.ask(after);
            }
            match answer {
                Ok(page) => {
                    if is_first {
                        self.drawn.rows.set_value(Vec::new());
                    }
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
                        self.drawn.shown.set(Some(page.counts.finished));
                    }
                    self.drawn.counts.set(page.counts);
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

    /// Says in its row what went wrong, if anything did, and asks how much there is now.
    fn settle<T>(self, answer: Result<T, AppError>, said: RwSignal<String>) -> Option<T> {
        match answer {
            Ok(value) => {
                said.set(String::new());
                used::refresh(self.drawn.counts);
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
pub(crate) fn stored(uploader: Uploader, drawn: Drawn) -> AnyView {
    let Drawn { counts, shown, .. } = drawn;
    let stored = Stored {
        uploader,
        drawn,
        files: RwSignal::new(Vec::new()),
        next: RwSignal::new(None),
        problem: RwSignal::new(String::new()),
        is_asking: RwSignal::new(false),
        is_open: RwSignal::new(false),
    };
    let on_toggle = move |event: ev::Event| {
        let details = event
            .target()
            .and_then(|target| target.dyn_into::<Element>().ok());
        let is_open = details.is_some_and(|details| details.has_attribute("open"));
        stored.is_open.set(is_open);
        if is_open {
            stored.ask(None);
        }
    };
    // Where nothing stands, what is new moves nothing.
    Effect::new(move || {
        let is_empty = stored.is_open.get() && stored.files.read().is_empty();
        let finished = counts.read().finished;
        if is_empty && shown.get().is_some_and(|shown| shown < finished) {
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
        shown
            .get()
            .is_some_and(|shown| shown < counts.read().finished)
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
