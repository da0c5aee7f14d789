//! Numbers with units.

/// Reads a size, as `65536`, `64KiB`, `64K`, or in the units in which the page shows one: `50MB`.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    let factor = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        "kb" => 1000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        _ => {
            return Err(
                "a size is a whole number, of bytes or with KiB, MiB, GiB or TiB, or kB, MB, GB or TB"
                    .to_owned(),
            );
        }
    };
    scale(number, factor)
}

/// Reads a span, as `30s`, `10m`, `12h`, `7d`, `500ms`, into milliseconds.
pub(super) fn span_ms(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    let factor = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err("a span ends in ms, s, m, h or d".to_owned()),
    };
    scale(number, factor)
}

/// A size for the eye: in the unit in which it is the smallest whole number.
pub(super) fn show_bytes(bytes: u64) -> String {
    let decimal = [
        (1_000_000_000_000, "TB"),
        (1_000_000_000, "GB"),
        (1_000_000, "MB"),
        (1000, "kB"),
        (1, "B"),
    ];
    let whole = decimal
        .into_iter()
        .filter(|&(size, _)| bytes > 0 && bytes.is_multiple_of(size));
    let whole = whole.map(|(size, unit)| (bytes / size, unit));
    let shown = hoist_protocol::in_binary_unit(bytes)
        .into_iter()
        .chain(whole);
    let (number, unit) = shown
        .min_by_key(|&(number, _)| number)
        .unwrap_or((bytes, "B"));
    format!("{number}{unit}")
}

/// A span for the eye: the largest unit that divides it.
pub(super) fn show_ms(ms: u64) -> String {
    for (factor, unit) in [
        (86_400_000, "d"),
        (3_600_000, "h"),
        (60_000, "m"),
        (1000, "s"),
    ] {
        if ms > 0 && ms.is_multiple_of(factor) {
            return format!("{}{unit}", ms / factor);
        }
    }
    format!("{ms}ms")
}

fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number, unit.trim())
}

fn scale(number: &str, factor: u64) -> Result<u64, String> {
    let number: u64 = number
        .parse()
        .map_err(|_| "a number is missing or too large".to_owned())?;
    number
        .checked_mul(factor)
        .ok_or_else(|| "this is too large".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_spans_are_read_and_shown() {
        for (text, size) in [
            ("0", 0),
            ("65536", 65536),
            ("64KiB", 65536),
            ("1m", 1 << 20),
            ("2 TiB", 2 << 40),
            ("50MB", 50_000_000),
            ("3kB", 3000),
            ("1 gb", 1_000_000_000),
            ("2TB", 2_000_000_000_000),
        ] {
            assert_eq!(bytes(text), Ok(size), "{text}");
        }
        for (text, span) in [
            ("500ms", 500),
            ("30s", 30_000),
            ("10m", 600_000),
            ("7d", 604_800_000),
        ] {
            assert_eq!(span_ms(text), Ok(span), "{text}");
        }
        for wrong in [
            "",
            "x",
            "-1",
            "1.5M",
            "1MB2",
            "1MiBB",
            "99999999999T",
            "99999999TB",
        ] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
        for wrong in ["30", "s", "30 years"] {
            assert!(span_ms(wrong).is_err(), "{wrong}");
        }
        for (size, shown) in [
            (0, "0B"),
            (1, "1B"),
            (1000, "1kB"),
            (50_000_000, "50MB"),
            (1_500_000_000, "1500MB"),
            (2_000_000_000, "2GB"),
            (1_000_000_000_000, "1TB"),
            (128_000_000, "128MB"),
            (1_024_000, "1000KiB"),
            (1001, "1001B"),
            (1536, "1536B"),
            (32 << 20, "32MiB"),
            (1 << 44, "16TiB"),
        ] {
            assert_eq!(show_bytes(size), shown);
        }
    }
}
