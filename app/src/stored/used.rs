//! How much is stored, as long as that changes.

use std::time::Duration;

use hoist_leptos::Overview;
use hoist_protocol::ListCounts;
use leptos::{prelude::*, task::spawn_local};

use crate::storage_used;

/// How often it is asked how much is stored while that changes.
const REFRESH: Duration = Duration::from_secs(2);

/// Asks how much is stored.
pub(super) fn refresh(counts: RwSignal<ListCounts>) {
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
