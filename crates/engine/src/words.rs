//! What a person reads when the engine, and not the server, gives a file up.

/// Longest message of a server that is shown, in characters.
const LONGEST: usize = 300;

pub(crate) const CHANGED: &str =
    "The file is not the one whose first part was sent. Start over to send it as it is now.";
pub(crate) const UNREADABLE: &str =
    "The file cannot be read any more. It may have been moved, changed or deleted.";
pub(crate) const DAMAGED: &str =
    "The bytes arrived damaged several times, so the file was given up.";
pub(crate) const LOST: &str = "The server lost this upload more than once.";
pub(crate) const NONSENSE: &str = "The server's answer makes no sense for this file.";
pub(crate) const UNPROVEN: &str =
    "The server cannot prove what it has of this file. Start over to send it whole.";
pub(crate) const UNPUBLISHED: &str = "The server has all bytes, but does not finish the file.";

pub(crate) const TOO_LATE: &str =
    "The file is deleted for good; it was too late to take that back.";

/// The server's own words, cut to a length that fits a row.
pub(crate) fn of_server(message: &str) -> String {
    let mut words: String = message.chars().take(LONGEST).collect();
    if words.trim().is_empty() {
        "The server refused this file.".clone_into(&mut words);
    }
    words
}

/// An answer that is not our server's.
pub(crate) fn of_stranger(status: u16) -> String {
    format!("The server, or something in front of it, refused this with status {status}.")
}

/// A proxy that refuses even a request of one chunk.
pub(crate) fn of_proxy(status: u16, bytes: u64) -> String {
    let remedy = if status == 413 {
        " It has to allow larger ones (in nginx: client_max_body_size)."
    } else {
        ""
    };
    format!(
        "Something between this page and the server (a proxy) refuses requests of {}, with status {status}.{remedy}",
        size(bytes)
    )
}

/// A size as a person writes it: decimal units, one digit after the point.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 1000 {
        return format!("{bytes} bytes");
    }
    // In tenths, rounded, without a float.
    let mut unit = 0;
    let mut divisor: u64 = 100;
    while bytes / divisor >= 10_000 && unit + 1 < UNITS.len() {
        unit += 1;
        divisor = divisor.saturating_mul(1000);
    }
    let tenths = bytes.saturating_add(divisor / 2) / divisor;
    let name = UNITS.get(unit).copied().unwrap_or("EB");
    if tenths.is_multiple_of(10) {
        format!("{} {name}", tenths / 10)
    } else {
        format!("{}.{} {name}", tenths / 10, tenths % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_well_at_every_edge() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (999, "999 bytes"),
            (1000, "1 kB"),
            (1550, "1.6 kB"),
            (10_000_000, "10 MB"),
            (1_500_000_000, "1.5 GB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn a_servers_novel_is_cut_and_its_silence_filled() {
        assert_eq!(of_server(&"ä".repeat(5000)).chars().count(), LONGEST);
        assert_eq!(of_server(" "), "The server refused this file.");
    }
}
