//! What is said to those who do not see the list.

use crate::Erase as _;
use leptos::prelude::*;

use super::parts::Text;
use crate::{Overview, Uploader, format, words};

/// One polite live region. It speaks at milestones, never with each change.
pub(super) fn live(uploader: Uploader) -> AnyView {
    let (overview, picking) = (uploader.overview(), uploader.is_picking());
    let said = RwSignal::new(String::new());
    Effect::new(move |before: Option<Milestone>| {
        let overview = overview.read();
        let mut now = Milestone::of(&overview);
        if let Some(before) = before {
            // Thousands come in many steps; they are one sentence.
            if picking.get() {
                now.not_taken = before.not_taken.min(now.not_taken);
            }
            if let Some(words) = now.words(&before, &overview) {
                said.set(words);
            }
        }
        now
    });
    view! {
        <p class="hoist-uploader__live" role="status" aria-live="polite">
            {Text::from(said)}
        </p>
    }
    .erase()
}

/// How far things are, coarsely: what is worth a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Milestone {
    is_busy: bool,
    quarter: u64,
    failed: u32,
    conflicts: u32,
    not_taken: u32,
    finished: u32,
    deleted: u32,
    /// What keeps it from going on; empty if nothing does.
    stop: &'static str,
}

impl Milestone {
    fn of(overview: &Overview) -> Self {
        let totals = &overview.totals;
        Self {
            is_busy: totals.unsettled > 0,
            quarter: format::percent(totals.shown, totals.bytes) / 25,
            failed: totals.failed,
            conflicts: totals.conflicts,
            not_taken: totals.not_taken,
            finished: totals.finished,
            deleted: totals.deleting + totals.deleted,
            stop: words::stop(overview),
        }
    }

    /// What has to be said now.
    fn words(&self, before: &Self, overview: &Overview) -> Option<String> {
        if self == before {
            return None;
        }
        let totals = &overview.totals;
        let some = |number, words| match number {
            0 => String::new(),
            _ => format!(" {}.", format::some(number, words)),
        };
        let not_taken = self.not_taken.saturating_sub(before.not_taken);
        let refused = some(not_taken, "not accepted");
        let trouble = some(totals.failed, "failed")
            + &some(totals.conflicts, "wait for your answer")
            + &refused;
        let deleted = some(self.deleted.saturating_sub(before.deleted), "deleted");
        let back = before.deleted.saturating_sub(self.deleted);
        let restored = some(
            back.min(self.finished.saturating_sub(before.finished)),
            "restored",
        );
        let words = match (before.is_busy, self.is_busy) {
            (false, true) => {
                let files = format::files(u64::from(totals.unsettled));
                format!("Uploading {files}.{refused} {}", self.stop)
            }
            (true, false) => {
                let finished = hoist_protocol::grouped(u64::from(totals.finished));
                let uploaded = match totals.files {
                    0 => String::new(),
                    files => format!("{finished} of {} uploaded.", format::files(files.into())),
                };
                uploaded + &trouble + &some(totals.cancelled, "cancelled") + &deleted
            }
            (_, true) if self.stop != before.stop => match self.stop {
                // Nobody knows yet.
                "" if before.stop == words::UNANSWERED => "Trying again.".to_owned(),
                "" => "Uploading goes on.".to_owned(),
                stop => stop.to_owned(),
            },
            (_, true) if self.quarter > before.quarter && self.quarter < 4 => {
                format!("{} percent uploaded.", self.quarter * 25)
            }
            _ if self.failed > before.failed
                || self.conflicts > before.conflicts
                || not_taken > 0 =>
            {
                trouble + &deleted
            }
            _ => deleted + &restored,
        };
        (!words.is_empty()).then(|| words.trim().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use hoist_engine::Totals;
    use hoist_protocol::PauseReason;

    use super::*;

    #[test]
    fn a_thousand_changes_are_a_handful_of_sentences() {
        let at = |shown: u64| Overview {
            totals: Totals {
                files: 3,
                bytes: 1000,
                shown,
                unsettled: u32::from(shown < 1000) * 3,
                finished: u32::from(shown == 1000) * 3,
                ..Totals::default()
            },
            ..Overview::default()
        };
        let mut before = Milestone::of(&Overview::default());
        let mut said = Vec::new();
        for shown in 0..=1000 {
            let overview = at(shown);
            let now = Milestone::of(&overview);
            said.extend(now.words(&before, &overview));
            before = now;
        }
        assert_eq!(
            said,
            [
                "Uploading 3 files.",
                "25 percent uploaded.",
                "50 percent uploaded.",
                "75 percent uploaded.",
                "3 of 3 files uploaded."
            ]
        );
    }

    #[test]
    fn what_stops_it_is_said_and_that_it_goes_on() {
        let mut overview = Overview::default();
        overview.totals.unsettled = 3;
        let mut before = Milestone::of(&overview);
        let mut next = |overview: &Overview| {
            let now = Milestone::of(overview);
            let said = now.words(&before, overview);
            before = now;
            said.unwrap_or_default()
        };
        overview.is_failing = true;
        assert!(next(&overview).starts_with("The server does not answer."));
        assert_eq!(next(&overview), "");
        overview.is_failing = false;
        assert_eq!(next(&overview), "Trying again.");
        overview.paused = Some(PauseReason::Offline);
        assert!(next(&overview).starts_with("There is no network."));
        overview.paused = Some(PauseReason::ByPerson);
        assert_eq!(next(&overview), "Paused.");
        overview.some_go_on = true;
        assert_eq!(next(&overview), "The others are paused.");
        overview.paused = None;
        overview.some_go_on = false;
        assert_eq!(next(&overview), "Uploading goes on.");
        // What is added while something stops it.
        overview.totals.unsettled = 0;
        overview.paused = Some(PauseReason::Offline);
        next(&overview);
        overview.totals.unsettled = 2;
        let said = next(&overview);
        assert!(said.starts_with("Uploading 2 files. There is no network."));
    }

    #[test]
    fn what_is_not_accepted_is_said_with_and_without_something_to_send() {
        let of = |unsettled, not_taken, failed| Overview {
            totals: Totals {
                files: unsettled,
                unsettled,
                not_taken,
                failed,
                ..Totals::default()
            },
            ..Overview::default()
        };
        let idle = of(0, 0, 0);
        let gone = |unsettled, finished, cancelled, deleted| {
            let mut overview = of(unsettled, 0, 0);
            let totals = &mut overview.totals;
            (totals.finished, totals.cancelled, totals.deleting) = (finished, cancelled, deleted);
            totals.files = unsettled + finished;
            overview
        };
        for (before, after, said) in [
            (&of(2, 0, 0), gone(0, 0, 2, 0), "2 cancelled."),
            (&gone(1, 3, 0, 0), gone(1, 0, 0, 3), "3 deleted."),
            (&gone(1, 0, 0, 3), gone(0, 0, 1, 3), "1 cancelled."),
            (
                &gone(1, 3, 0, 0),
                gone(0, 0, 1, 3),
                "1 cancelled. 3 deleted.",
            ),
            (&gone(0, 0, 1, 3), gone(0, 3, 1, 0), "3 restored."),
            (&idle, of(0, 2, 0), "2 not accepted."),
            (&of(0, 2, 0), of(0, 3, 0), "1 not accepted."),
            (&of(0, 2, 1), of(1, 2, 1), "Uploading 1 file."),
            (&idle, of(3, 1, 0), "Uploading 3 files. 1 not accepted."),
            (&of(3, 0, 0), of(3, 0, 1), "1 failed."),
            (&of(3, 0, 1), of(2, 1, 1), "1 failed. 1 not accepted."),
        ] {
            let words = Milestone::of(&after).words(&Milestone::of(before), &after);
            assert_eq!(words.as_deref(), Some(said));
        }
    }
}
