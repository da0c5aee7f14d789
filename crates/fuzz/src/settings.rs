//! What people write in flags, and the names that requests ask for.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::{hosts, unit};

/// A text as a size, as a span, and as a host.
pub(crate) fn settings(bytes: &[u8]) -> bool {
    if let Some(number) = bytes.first_chunk::<8>() {
        let number = u64::from_be_bytes(*number);
        assert_eq!(unit::bytes(&unit::show_bytes(number)), Ok(number));
        assert_eq!(unit::span_ms(&unit::show_ms(number)), Ok(number));
    }
    let Ok(text) = str::from_utf8(bytes) else {
        return false;
    };
    let size = unit::bytes(text);
    let factors = [
        ("", 0),
        ("b", 0),
        ("k", 10),
        ("m", 20),
        ("g", 30),
        ("t", 40),
    ];
    let sizes = factors.iter().flat_map(|(unit, power)| {
        let long = format!("{unit}ib");
        [((*unit).to_owned(), 1_u128 << power), (long, 1 << power)]
    });
    assert_eq!(
        size.as_ref().ok(),
        meant(&text.to_ascii_lowercase(), sizes).as_ref(),
        "{text:?}"
    );
    let span = unit::span_ms(text);
    let spans = [
        ("ms", 1),
        ("s", 1000),
        ("m", 60_000),
        ("h", 3_600_000),
        ("d", 86_400_000),
    ];
    let spans = spans.map(|(unit, factor)| (unit.to_owned(), factor));
    assert_eq!(span.as_ref().ok(), meant(text, spans).as_ref(), "{text:?}");
    let known = host(text);
    size.is_ok() || span.is_ok() || known
}

/// A whole number times what its unit is worth, if it fits.
fn meant(text: &str, units: impl IntoIterator<Item = (String, u128)>) -> Option<u64> {
    let text = text.trim();
    let digits = text.chars().take_while(char::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let mut units = units
        .into_iter()
        .filter(|(name, _)| name != "ib" && name != "bib");
    let (_, factor) = units.find(|(name, _)| *name == unit.trim())?;
    let number = number.parse::<u64>().ok()?;
    u64::try_from(u128::from(number).checked_mul(factor)?).ok()
}

/// A name that somebody could have bought and pointed here is not known.
fn host(text: &str) -> bool {
    let known = ["files.example".to_owned()];
    let is_known = hosts::is_known(text, &known);
    let lower = text.to_ascii_lowercase();
    let name = lower.trim_end_matches(|c: char| c.is_ascii_digit());
    let names = [Some(lower.as_str()), name.strip_suffix(':')];
    let is_ours = names.iter().flatten().any(|name| {
        let inner = name
            .strip_prefix('[')
            .and_then(|name| name.strip_suffix(']'));
        *name == "files.example"
            || name.split('.').next_back() == Some("localhost")
            || name.parse::<Ipv4Addr>().is_ok()
            || inner.is_some_and(|inner| inner.parse::<Ipv6Addr>().is_ok())
    });
    assert_eq!(is_known, is_ours, "{text:?}");
    is_known
}
