//! Numbers and names as a person reads them. English, and the same on every machine: the first
//! HTML must not depend on a locale.

use hoist_protocol::grouped;

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

/// A name and its ending, which is still seen where the name is cut: `("holiday", ".jpeg")`. A name with anything in it that is
/// read from right to left is not split: its parts would be put in an order of their own, and an ending may stand anywhere.
pub(crate) fn split_ending(name: &str) -> (&str, &str) {
    const LONGEST: usize = 8;
    match name.rfind('.') {
        Some(dot) if dot > 0 && name.len() - dot <= LONGEST && !name.contains(is_bidi) => {
            name.split_at(dot)
        }
        _ => (name, ""),
    }
}

/// Whether a character is of a script from right to left, or controls direction (Unicode, *Bidirectional Algorithm*).
const fn is_bidi(c: char) -> bool {
    matches!(c, '\u{590}'..='\u{8ff}' | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}' | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
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
    fn a_unit_is_said_once() {
        assert_eq!(part_of(250_000_000, 839_000_000), "250 of 839 MB");
        assert_eq!(part_of(937_000, 1_200_000), "937 kB of 1.2 MB");
        assert_eq!(part_of(1, 1), "1 of 1 byte");
        assert_eq!(part_of(0, 700), "0 of 700 bytes");
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
            ("تقرير.pdf", ("تقرير.pdf", "")),
            ("א jpg.exe", ("א jpg.exe", "")),
            ("a\u{202e}gpj.exe", ("a\u{202e}gpj.exe", "")),
            ("a.été", ("a", ".été")),
            ("", ("", "")),
        ] {
            assert_eq!(split_ending(name), parts);
        }
    }
}
