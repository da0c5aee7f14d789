//! Numbers and names as a person reads them. English, and the same on every machine: the first
//! HTML must not depend on a locale.

use hoist_protocol::{PauseReason, grouped};

use crate::Overview;

/// A size in decimal units, as a person reads it.
///
/// ```
/// assert_eq!(hoist_leptos::format_bytes(1_534_000), "1.5 MB");
/// ```
#[must_use]
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 1000 {
        return if bytes == 1 {
            "1 byte".to_owned()
        } else {
            format!("{bytes} bytes")
        };
    }
    // Without a float, and rounded once: from three digits on to whole units, below to tenths.
    let rounded = |step: u64| bytes.saturating_add(step / 2) / step;
    let mut unit = 0;
    let mut size: u64 = 1000;
    while rounded(size) >= 1000 && unit + 1 < UNITS.len() {
        unit += 1;
        size = size.saturating_mul(1000);
    }
    let name = UNITS.get(unit).copied().unwrap_or("EB");
    let tenths = rounded(size / 10);
    if tenths >= 1000 {
        format!("{} {name}", rounded(size))
    } else if tenths.is_multiple_of(10) {
        format!("{} {name}", tenths / 10)
    } else {
        format!("{}.{} {name}", tenths / 10, tenths % 10)
    }
}

/// So much of so much: the unit once, if it is the same.
pub(crate) fn part_of(part: u64, whole: u64) -> String {
    let (part, whole) = (bytes(part), bytes(whole));
    let number = match (part.rsplit_once(' '), whole.rsplit_once(' ')) {
        (Some((number, unit)), Some((_, same))) if unit == same => number,
        _ => &part,
    };
    format!("{number} of {whole}")
}

/// A number of files: `1 file`, `2 files`.
pub(crate) fn files(number: u64) -> String {
    format!(
        "{} {}",
        grouped(number),
        if number == 1 { "file" } else { "files" }
    )
}

/// `3 failed`; nothing if there is none.
pub(crate) fn some(number: u32, words: &str) -> String {
    match number {
        0 => String::new(),
        _ => grouped(u64::from(number)) + " " + words,
    }
}

/// A time left, never more exact than it can be known.
pub(crate) fn time_left(ms: u64) -> String {
    let seconds = ms.div_ceil(1000);
    match seconds {
        0..=4 => "a few seconds left".to_owned(),
        5..=59 => format!("{} s left", seconds.div_ceil(5) * 5),
        60..=3599 => format!("{} min left", seconds.div_ceil(60)),
        3600..=86_399 => {
            let minutes = seconds.div_ceil(60);
            format!("{} h {} min left", minutes / 60, minutes % 60)
        }
        _ => "more than a day left".to_owned(),
    }
}

/// How far, from 0 to 100; 100 only if all is there.
pub(crate) fn percent(part: u64, whole: u64) -> u64 {
    if whole == 0 || part >= whole {
        return 100;
    }
    let percent = part
        .checked_mul(100)
        .map_or_else(|| part / (whole / 100), |hundred| hundred / whole);
    percent.min(99)
}

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
    let rate = overview.rate_bytes_per_s.map(|rate| bytes(rate) + "/s");
    let say_rate = |say: &mut dyn FnMut(&str)| say(rate.as_deref().unwrap_or_default());
    if totals.unsettled > 0 {
        match overview.paused {
            Some(PauseReason::ByPerson) if overview.some_go_on => {
                say("the others paused");
                say_rate(&mut say);
            }
            Some(reason) => say(reason.word()),
            // What it was before says nothing of when this ends.
            None if is_unanswered(overview) => {}
            None => {
                say_rate(&mut say);
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
    overview.totals.unsettled > 0 && overview.paused.is_none() && overview.is_failing
}

/// What holds the queue, and what ends it; empty if nothing does, or the person.
pub(crate) fn held(overview: &Overview) -> &'static str {
    if overview.totals.unsettled == 0 {
        return "";
    }
    match overview.paused {
        None if is_unanswered(overview) => {
            "The server does not answer. It is tried again by itself; nothing is lost."
        }
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

/// A name and its ending, which is still seen where the name is cut: `("holiday", ".jpeg")`.
pub(crate) fn split_ending(name: &str) -> (&str, &str) {
    const LONGEST: usize = 8;
    match name.rfind('.') {
        Some(dot) if dot > 0 && name.len() - dot <= LONGEST => name.split_at(dot),
        _ => (name, ""),
    }
}

/// The family and the badge of a file: `("image", "JPG")`.
pub(crate) fn badge(
    name: &str,
    media_type: Option<&str>,
    is_directory: bool,
) -> (&'static str, String) {
    if is_directory {
        return ("folder", "DIR".to_owned());
    }
    let extension = name
        .rsplit_once('.')
        .filter(|(stem, _)| !stem.is_empty())
        .map(|(_, extension)| extension.to_ascii_lowercase())
        .filter(|e| (1..=4).contains(&e.len()) && e.bytes().all(|c| c.is_ascii_alphanumeric()))
        .unwrap_or_default();
    let by_type = match media_type.unwrap_or_default().split('/').next() {
        Some("image") => Some("image"),
        Some("video") => Some("video"),
        Some("audio") => Some("audio"),
        _ => None,
    };
    let family = by_type.unwrap_or(match extension.as_str() {
        "jpg" | "jpeg" | "png" | "gif" | "webp" | "svg" | "heic" | "tif" | "tiff" | "bmp"
        | "raw" | "avif" => "image",
        "mp4" | "mkv" | "mov" | "avi" | "webm" | "m4v" => "video",
        "mp3" | "wav" | "flac" | "ogg" | "m4a" | "aac" => "audio",
        "zip" | "gz" | "xz" | "7z" | "rar" | "tar" | "zst" | "bz2" | "iso" | "dmg" => "archive",
        "pdf" => "pdf",
        "xls" | "xlsx" | "ods" | "csv" => "sheet",
        "doc" | "docx" | "odt" | "txt" | "md" | "rtf" => "text",
        _ => "file",
    });
    (family, extension.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_well_at_every_edge() {
        for (size, text) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (999, "999 bytes"),
            (1000, "1 kB"),
            (1550, "1.6 kB"),
            (99_949, "99.9 kB"),
            (99_950, "100 kB"),
            (999_499, "999 kB"),
            (999_960, "1 MB"),
            (123_456_789, "123 MB"),
            (1_073_741_824, "1.1 GB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(bytes(size), text, "{size}");
        }
    }

    #[test]
    fn numbers_have_commas_and_one_file_is_no_files() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1000), "1,000");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(files(1), "1 file");
        assert_eq!(files(10_000), "10,000 files");
    }

    #[test]
    fn time_left_is_never_more_exact_than_it_can_be_known() {
        assert_eq!(time_left(0), "a few seconds left");
        assert_eq!(time_left(4_001), "5 s left");
        assert_eq!(time_left(57_000), "60 s left");
        assert_eq!(time_left(61_000), "2 min left");
        assert_eq!(time_left(3_600_000), "1 h 0 min left");
        assert_eq!(time_left(u64::MAX), "more than a day left");
    }

    #[test]
    fn a_hundred_percent_is_said_only_of_all() {
        assert_eq!(percent(0, 0), 100);
        assert_eq!(percent(999, 1000), 99);
        assert_eq!(percent(1000, 1000), 100);
        assert_eq!(percent(u64::MAX - 1, u64::MAX), 99);
    }

    #[test]
    fn a_badge_tells_the_family_by_type_first_and_by_name_else() {
        for (name, media_type, family, text) in [
            ("a.JPG", None, "image", "JPG"),
            ("a", Some("video/mp4"), "video", ""),
            ("archive.tar.gz", None, "archive", "GZ"),
            (".gitignore", None, "file", ""),
            ("صورة.png", None, "image", "PNG"),
            ("x.verylong", None, "file", ""),
            ("x.日本", None, "file", ""),
        ] {
            assert_eq!(
                badge(name, media_type, false),
                (family, text.to_owned()),
                "{name}"
            );
        }
        assert_eq!(badge("photos.zip", None, true).0, "folder");
    }

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
    fn a_unit_is_said_once() {
        assert_eq!(part_of(250_000_000, 839_000_000), "250 of 839 MB");
        assert_eq!(part_of(937_000, 1_200_000), "937 kB of 1.2 MB");
        assert_eq!(part_of(1, 1), "1 of 1 byte");
        assert_eq!(part_of(0, 700), "0 of 700 bytes");
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
    fn an_ending_is_short_and_not_all_there_is() {
        for (name, parts) in [
            ("holiday.jpeg", ("holiday", ".jpeg")),
            ("a.tar.gz", ("a.tar", ".gz")),
            (".profile", (".profile", "")),
            ("README", ("README", "")),
            ("ends with a dot.", ("ends with a dot", ".")),
            ("Version 2.an other one", ("Version 2.an other one", "")),
            ("تقرير.pdf", ("تقرير", ".pdf")),
            ("a.été", ("a", ".été")),
            ("", ("", "")),
        ] {
            assert_eq!(split_ending(name), parts);
        }
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
    }
}
