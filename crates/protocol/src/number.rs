//! Numbers as a person reads them. English, and the same on every machine.

/// A number with a comma every three digits.
///
/// ```
/// assert_eq!(hoist_protocol::grouped(1_234_567), "1,234,567");
/// ```
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// So many bytes exactly, in the largest binary unit that divides them; `None` if there is none.
///
/// ```
/// assert_eq!(hoist_protocol::in_binary_unit(500 << 20), Some((500, "MiB")));
/// assert_eq!(hoist_protocol::in_binary_unit(1000), None);
/// ```
#[must_use]
pub fn in_binary_unit(bytes: u64) -> Option<(u64, &'static str)> {
    [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")]
        .into_iter()
        .find(|&(shift, _)| bytes > 0 && bytes.trailing_zeros() >= shift)
        .map(|(shift, unit)| (bytes >> shift, unit))
}
