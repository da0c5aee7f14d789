//! The `Range` header: one range of bytes.

use hoist_protocol::ByteRange;

/// What a request wants of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// All of it: no range, several, or one that is none.
    Whole,
    /// These bytes.
    Part(ByteRange),
    /// Bytes that the file does not have.
    Outside,
}

/// Reads a `Range` header for a file of `size` bytes.
///
/// Several ranges are answered with the whole file, which is allowed and cannot be made to repeat
/// a byte a million times.
pub(crate) fn parse(header: Option<&str>, size: u64) -> Wanted {
    let Some((first, last)) = header
        .and_then(|value| value.trim().strip_prefix("bytes="))
        .filter(|value| !value.contains(','))
        .and_then(|value| value.trim().split_once('-'))
    else {
        return Wanted::Whole;
    };
    let (start, end) = match (number(first), number(last)) {
        // The last n bytes.
        (Number::None, Number::Some(length)) => (size.saturating_sub(length), size),
        (Number::Some(start), Number::None) => (start, size),
        (Number::Some(start), Number::Some(last)) if start <= last => {
            (start, last.saturating_add(1).min(size))
        }
        _ => return Wanted::Whole,
    };
    if start >= end {
        return Wanted::Outside;
    }
    Wanted::Part(ByteRange::new(start, end))
}

enum Number {
    None,
    Some(u64),
    Wrong,
}

/// Digits and nothing else; `parse` alone would take `+5`.
fn number(text: &str) -> Number {
    if text.is_empty() {
        return Number::None;
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Number::Wrong;
    }
    // More digits than a u64 holds is beyond the end of any file.
    Number::Some(text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_standard_says() {
        let part = |start, end| Wanted::Part(ByteRange::new(start, end));
        for (header, size, expected) in [
            ("bytes=0-0", 10, part(0, 1)),
            ("bytes=0-9", 10, part(0, 10)),
            ("bytes=0-99", 10, part(0, 10)),
            ("bytes=3-", 10, part(3, 10)),
            ("bytes=-3", 10, part(7, 10)),
            ("bytes=-30", 10, part(0, 10)),
            ("bytes=9-99999999999999999999999", 10, part(9, 10)),
            ("bytes=10-", 10, Wanted::Outside),
            ("bytes=99999999999999999999999-", 10, Wanted::Outside),
            ("bytes=-0", 10, Wanted::Outside),
            ("bytes=0-", 0, Wanted::Outside),
            ("bytes=5-4", 10, Wanted::Whole),
            ("bytes=0-1,3-4", 10, Wanted::Whole),
            ("bytes=+1-2", 10, Wanted::Whole),
            ("bytes=-", 10, Wanted::Whole),
            ("bytes=a-b", 10, Wanted::Whole),
            ("lines=0-1", 10, Wanted::Whole),
            ("", 10, Wanted::Whole),
        ] {
            assert_eq!(parse(Some(header), size), expected, "{header} of {size}");
        }
        assert_eq!(parse(None, 10), Wanted::Whole);
    }
}
