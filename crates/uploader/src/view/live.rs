//! What is said to those who do not see the list.

use crate::Erase as _;
use leptos::prelude::*;

use super::parts::Text;
use crate::{Overview, Uploader, format};

/// One polite live region. It speaks at milestones, never with each change.
pub(super) fn live(uploader: Uploader) -> AnyView {
    let overview = uploader.overview();
    let said = RwSignal::new(String::new());
    Effect::new(move |before: Option<Milestone>| {
        let overview = overview.read();
        let now = Milestone::of(&overview);
        if let Some(words) = before.and_then(|before| now.words(&before, &overview)) {
            said.set(words);
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
    paused: Option<&'static str>,
}

impl Milestone {
    fn of(overview: &Overview) -> Self {
        let totals = &overview.totals;
        Self {
            is_busy: totals.unsettled > 0,
            quarter: format::percent(totals.shown, totals.bytes) / 25,
            failed: totals.failed,
            conflicts: totals.conflicts,
            paused: overview.paused.map(|reason| reason.word()),
        }
    }

    /// What has to be said now.
    fn words(&self, before: &Self, overview: &Overview) -> Option<String> {
        if self == before {
            return None;
        }
        let totals = &overview.totals;
        let trouble = match (totals.failed, totals.conflicts) {
            (0, 0) => String::new(),
            (failed, 0) => format!(" {} failed.", format::count(u64::from(failed))),
            (0, conflicts) => format!(
                " {} wait for your answer.",
                format::count(u64::from(conflicts))
            ),
            (failed, conflicts) => format!(
                " {} failed, {} wait for your answer.",
                format::count(u64::from(failed)),
                format::count(u64::from(conflicts))
            ),
        };
        match (before.is_busy, self.is_busy) {
            (false, true) => Some(format!(
                "Uploading {}.",
                format::files(u64::from(totals.unsettled))
            )),
            (true, false) => Some(format!(
                "{} of {} uploaded.{trouble}",
                format::count(u64::from(totals.finished)),
                format::files(u64::from(totals.files))
            )),
            (_, true) if self.paused != before.paused => Some(
                self.paused
                    .map_or_else(|| "Uploading goes on.".to_owned(), str::to_owned),
            ),
            (_, true) if self.quarter > before.quarter && self.quarter < 4 => {
                Some(format!("{} percent uploaded.", self.quarter * 25))
            }
            (_, true) if self.failed > before.failed || self.conflicts > before.conflicts => {
                Some(trouble.trim().to_owned())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use hoist_engine::Totals;

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
}
