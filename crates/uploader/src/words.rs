//! What the totals say. English, as [`crate::format`].

use hoist_protocol::{PauseReason, grouped};

use crate::{
    Overview,
    format::{bytes, files, part_of, some, time_left},
};

pub(crate) const UNANSWERED: &str =
    "The server does not answer. It is tried again by itself; nothing is lost.";

/// The line of the totals: what is done, how fast, how long still. While more are added nobody knows how long.
pub(crate) fn summary(overview: &Overview, is_adding: bool) -> String {
    let totals = &overview.totals;
    let mut line = String::new();
    let mut say = |part: &str| {
        if !line.is_empty() && !part.is_empty() {
            line.push_str("\u{a0}· ");
        }
        // A line is broken between its parts only, and none begins with a dot.
        line.extend(part.chars().map(|c| if c == ' ' { '\u{a0}' } else { c }));
    };
    let of_files = || {
        let finished = grouped(u64::from(totals.finished));
        format!("{finished} of {}", files(u64::from(totals.files)))
    };
    if totals.files == 0 {
        // Nothing but what follows.
    } else if totals.unsettled == 0 && !is_adding {
        say(&(of_files() + " uploaded"));
        say(&bytes(totals.acknowledged));
    } else {
        say(&(of_files() + if is_adding { " so far" } else { "" }));
        say(&part_of(totals.shown, totals.bytes));
    }
    for (number, words) in [
        (totals.present, "already there"),
        (totals.failed, "failed"),
        (totals.not_taken, "not accepted"),
        (totals.cancelling, "being cancelled"),
        (totals.cancelled, "cancelled"),
        (totals.deleting + totals.deleted, "deleted"),
        (totals.conflicts, "waiting for your answer"),
    ] {
        say(&some(number, words));
    }
    let rate = overview
        .rate_bytes_per_s
        .filter(|_| !is_unanswered(overview));
    let rate = rate.map_or_else(String::new, |rate| bytes(rate) + "/s");
    if totals.unsettled > 0 {
        match overview.paused {
            Some(PauseReason::ByPerson) if overview.some_go_on => {
                say("the others paused");
                say(&rate);
            }
            Some(reason) => say(reason.word()),
            // What it was before says nothing of when this ends.
            None if is_unanswered(overview) => {}
            None => {
                say(&rate);
                if let Some(left) = overview.time_left_ms.filter(|_| !is_adding) {
                    say(&time_left(left));
                }
            }
        }
    }
    line
}

/// Whether something is left to do, nothing holds it, and the server does not answer.
pub(crate) const fn is_unanswered(overview: &Overview) -> bool {
    let goes_on = overview.paused.is_none() || overview.some_go_on;
    overview.totals.unsettled > 0 && goes_on && overview.is_failing
}

/// What holds the queue, and what ends it; empty if nothing does, or the person.
pub(crate) fn held(overview: &Overview) -> &'static str {
    if overview.totals.unsettled == 0 {
        return "";
    }
    if is_unanswered(overview) {
        return UNANSWERED;
    }
    match overview.paused {
        None | Some(PauseReason::ByPerson) => "",
        Some(PauseReason::Offline) => {
            "There is no network. Uploads go on by themselves when it is back."
        }
        Some(PauseReason::SignIn) => {
            "Please sign in again, in another tab if you like; then press “Resume all”."
        }
        Some(PauseReason::DiskFull) => {
            "There is no room left for your files. It is tried again from time to time."
        }
        Some(PauseReason::RateLimited) => {
            "The server is busy and asked to slow down. It goes on by itself."
        }
        Some(PauseReason::Stalled) => "The connection stands still. It is tried again by itself.",
        Some(_) => "Uploads are waiting.",
    }
}

/// Why it does not go on, for those who only hear of it; empty if it does.
pub(crate) fn stop(overview: &Overview) -> &'static str {
    match (held(overview), overview.paused) {
        ("", Some(PauseReason::ByPerson)) if overview.some_go_on => "The others are paused.",
        ("", Some(PauseReason::ByPerson)) => "Paused.",
        (held, _) => held,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_says_rate_and_time_only_while_bytes_travel() {
        let mut overview = Overview {
            totals: hoist_engine::Totals {
                files: 1200,
                finished: 3,
                unsettled: 1197,
                bytes: 5_000_000,
                shown: 1_000_000,
                ..Default::default()
            },
            rate_bytes_per_s: Some(250_000),
            time_left_ms: Some(16_000),
            ..Default::default()
        };
        assert_eq!(
            said(&overview, false),
            "3 of 1,200 files · 1 of 5 MB · 250 kB/s · 20 s left"
        );
        assert_eq!(
            said(&overview, true),
            "3 of 1,200 files so far · 1 of 5 MB · 250 kB/s"
        );
        overview.paused = Some(PauseReason::Offline);
        assert_eq!(
            said(&overview, false),
            "3 of 1,200 files · 1 of 5 MB · Waiting for the network"
        );
        overview.totals.unsettled = 0;
        assert_eq!(said(&overview, true), "3 of 1,200 files so far · 1 of 5 MB");
        overview.totals.failed = 2;
        overview.totals.acknowledged = 4_000_000;
        assert_eq!(
            said(&overview, false),
            "3 of 1,200 files uploaded · 4 MB · 2 failed"
        );
        overview.totals.not_taken = 1;
        overview.totals.cancelled = 1_001;
        assert_eq!(
            said(&overview, false),
            "3 of 1,200 files uploaded · 4 MB · 2 failed · 1 not accepted · 1,001 cancelled"
        );
        overview.totals = hoist_engine::Totals {
            not_taken: 4,
            cancelling: 3,
            deleting: 1,
            deleted: 1,
            ..Default::default()
        };
        assert_eq!(
            said(&overview, false),
            "4 not accepted · 3 being cancelled · 2 deleted"
        );
    }

    fn said(overview: &Overview, is_adding: bool) -> String {
        summary(overview, is_adding).replace('\u{a0}', " ")
    }

    #[test]
    fn what_holds_the_queue_is_said_only_while_something_is_left_to_do() {
        let mut overview = Overview::default();
        overview.totals.unsettled = 1;
        assert_eq!(held(&overview), "");
        overview.rate_bytes_per_s = Some(1_000_000);
        assert!(summary(&overview, false).contains("MB/s"));
        overview.is_failing = true;
        assert!(held(&overview).contains("does not answer"));
        assert_eq!(summary(&overview, false), "", "not how fast it was");
        // The person knows, and the network is the better reason.
        overview.paused = Some(PauseReason::ByPerson);
        assert_eq!(held(&overview), "");
        overview.paused = Some(PauseReason::Offline);
        assert!(held(&overview).contains("no network"));
        overview.totals.unsettled = 0;
        assert_eq!(held(&overview), "");
    }

    #[test]
    fn who_resumes_one_of_many_is_not_told_that_all_is_paused() {
        let mut overview = Overview {
            paused: Some(PauseReason::ByPerson),
            rate_bytes_per_s: Some(2_000_000),
            ..Overview::default()
        };
        overview.totals.unsettled = 3;
        assert_eq!(said(&overview, false), "Paused");
        overview.some_go_on = true;
        assert_eq!(said(&overview, false), "the others paused · 2 MB/s");
        assert_eq!(held(&overview), "");
        overview.is_failing = true;
        assert!(is_unanswered(&overview));
        assert_eq!(said(&overview, false), "the others paused");
        assert!(held(&overview).contains("does not answer"));
    }
}
