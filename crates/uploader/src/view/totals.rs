//! The line above the list: all files together.

use crate::Erase as _;
use leptos::prelude::*;

use super::parts::{Text, button, either, fixed, paragraph, progress, when};
use crate::{Overview, Uploader, words};

const BUTTON: &str = "hoist-uploader__button hoist-uploader__button--small";

/// In so few rows a problem is seen without a search.
const SHORT: u32 = 8;

/// Sums, rate and time left, and what can be done with all files at once.
pub(super) fn totals_bar(uploader: Uploader) -> AnyView {
    let is_shown = of(uploader, |o| {
        let totals = &o.totals;
        totals.files + totals.cancelling + totals.deleting + of_no_use(o) > 0
    });
    when(is_shown, move || bar(uploader))
}

/// Rows of this visit that nothing more will come of.
fn of_no_use(overview: &Overview) -> u32 {
    let totals = &overview.totals;
    totals.not_taken + totals.cancelled + totals.deleted
}

/// Whether a row waits for the person to do something.
fn has_problems(overview: &Overview) -> bool {
    let totals = &overview.totals;
    totals.failed + totals.not_taken + totals.conflicts > 0
}

fn of(uploader: Uploader, ask: fn(&Overview) -> bool) -> Signal<bool> {
    let overview = uploader.overview();
    Signal::derive(move || ask(&overview.read()))
}

fn text(uploader: Uploader, say: fn(&Overview) -> String) -> Text {
    let overview = uploader.overview();
    Signal::derive(move || say(&overview.read()))
}

fn bar(uploader: Uploader) -> AnyView {
    let is_busy = of(uploader, |o| o.totals.unsettled > 0);
    let is_paused = of(uploader, |o| o.paused.is_some());
    let toggle = either(is_paused, "Resume all", "Pause all");
    let is_picking = uploader.is_picking();
    let only_problems: Signal<bool> = uploader.shows_only_problems().into();
    let is_over = of(uploader, |o| {
        o.totals.finished + of_no_use(o) > 0 && o.totals.unsettled == 0
    });
    // Nobody clears what they do not see.
    let is_clearable =
        Signal::derive(move || is_over.get() && !is_picking.get() && !only_problems.get());
    let filter = either(only_problems, "Show all files", "Show only problems");
    let (count, has_problems) = (uploader.count(), of(uploader, has_problems));
    let is_filter =
        Signal::derive(move || only_problems.get() || (count.get() > SHORT && has_problems.get()));
    let action = |is: Signal<bool>, word: &'static str, run: fn(Uploader)| {
        when(is, move || {
            button(BUTTON, fixed(word), fixed(word), move || run(uploader))
        })
    };
    let actions = (
        action(
            of(uploader, |o| !o.is_started && o.totals.unsettled > 0),
            "Start",
            Uploader::start,
        ),
        when(is_busy, move || {
            button(BUTTON, toggle, toggle, move || {
                if is_paused.get_untracked() {
                    uploader.resume_all();
                } else {
                    uploader.pause_all();
                }
            })
        }),
        action(
            of(uploader, words::is_unanswered),
            "Try now",
            Uploader::try_now,
        ),
        action(is_busy, "Cancel all", Uploader::cancel_all),
        action(
            of(uploader, |o| o.totals.restorable > 0),
            "Undo deletes",
            Uploader::restore_all,
        ),
        action(
            of(uploader, |o| o.totals.failed > 0),
            "Try failed again",
            Uploader::retry_all,
        ),
        when(is_filter, move || {
            button(BUTTON, filter, filter, move || {
                uploader.show_only_problems(!only_problems.get_untracked());
            })
        }),
        action(is_clearable, "Clear list", Uploader::clear),
    );
    let overview = uploader.overview();
    let summary = Signal::derive(move || words::summary(&overview.read(), is_picking.get()));
    let held = text(uploader, |o| words::held(o).to_owned());
    view! {
        <div class="hoist-uploader__totals">
            {paragraph("hoist-uploader__summary", summary)}
            {when(of(uploader, |o| o.totals.files > 0), move || {
                progress(
                    "hoist-uploader__progress hoist-uploader__progress--total",
                    fixed("All files"),
                    text(uploader, |o| o.totals.bytes.max(1).to_string()),
                    text(uploader, |o| {
                        // Files of 0 bytes are a job too.
                        if o.totals.bytes == 0 {
                            u64::from(o.totals.unsettled == 0)
                        } else {
                            o.totals.shown
                        }
                        .to_string()
                    }),
                )
            })}
            <div class="hoist-uploader__all">{actions}</div>
            {paragraph("hoist-uploader__held", held)}
        </div>
    }
    .erase()
}
