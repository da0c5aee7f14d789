//! Headers: who somebody is, from where they come, what they want of a file.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a property that panics has failed"
)]

use hoist_protocol::{ByteRange, ErrorCode, Millis};
use hoist_store::Owner;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri, header};

use crate::{
    Authorizer, Clock, CookieConfig, CookieKey, CookieVisitors, PasswordConfig, Passwords, Visitor,
    download, form, form_problem,
    origin::Origin,
    range::{self, Wanted},
    token,
};

/// The size of a file in eight bytes, then a `Range`; the same bytes are also the numbers of one.
pub fn range(bytes: &[u8]) -> bool {
    let Some((size, text)) = bytes.split_first_chunk::<8>() else {
        return false;
    };
    let size = u64::from_be_bytes(*size);
    if let Some((&[first, last], _)) = text.as_chunks::<8>().0.split_first_chunk::<2>() {
        let (first, last) = (u64::from_be_bytes(first), u64::from_be_bytes(last));
        for (first, last) in [(first, last), (first % size.max(1), last % size.max(1))] {
            numbers(size, first, last);
        }
    }
    let Ok(text) = str::from_utf8(text) else {
        return false;
    };
    let wanted = range::parse(Some(text), size);
    if wanted == Wanted::Whole {
        return false;
    }
    assert!(text.contains("bytes=") && !text.contains(','), "{text:?}");
    if let Wanted::Part(part) = wanted {
        assert!(part.start < part.end && part.end <= size);
        let again = format!("bytes={}-{}", part.start, part.end - 1);
        assert_eq!(range::parse(Some(&again), size), wanted);
        assert_eq!(
            range::parse(Some(&format!("{again},{again}")), size),
            Wanted::Whole
        );
    }
    true
}

/// The three ways to say what is wanted, by the words of RFC 9110.
fn numbers(size: u64, first: u64, last: u64) {
    let ask = |text: String| range::parse(Some(&text), size);
    let part = |start: u64, end: u64| Wanted::Part(ByteRange { start, end });
    let expected = match first <= last {
        false => Wanted::Whole,
        true if first >= size => Wanted::Outside,
        true => part(first, last.min(size - 1) + 1),
    };
    assert_eq!(
        ask(format!("bytes={first}-{last}")),
        expected,
        "{first}-{last} of {size}"
    );
    let expected = if first < size {
        part(first, size)
    } else {
        Wanted::Outside
    };
    assert_eq!(
        ask(format!("bytes={first}-")),
        expected,
        "{first}- of {size}"
    );
    let expected = match first.min(size) {
        0 => Wanted::Outside,
        length => part(size - length, size),
    };
    assert_eq!(
        ask(format!("bytes=-{first}")),
        expected,
        "-{first} of {size}"
    );
}

/// A cookie header in which `{V}` stands for the cookie of a visitor, and `{S}` for a session. Two
/// bytes before it say which of its bytes is changed, and how.
pub fn cookies(bytes: &[u8]) -> bool {
    let Some((&[at, change], text)) = bytes.split_first_chunk::<2>() else {
        return false;
    };
    let key = CookieKey::from_bytes([7; 32]);
    let owner = Owner::new(&"5f".repeat(16)).unwrap();
    let visitor = key.cookie(owner.as_str());
    let config = PasswordConfig {
        clock: Clock::new(|| Millis(1_700_000_000_000)),
        ..PasswordConfig::default()
    };
    let passwords = Passwords::new("password", key.clone(), Authorizer::default(), config);
    let cookie = passwords.begin(true).unwrap();
    let session = cookie.to_str().unwrap()["hoist_session=".len()..][..80].to_owned();

    let Ok(text) = str::from_utf8(text) else {
        return false;
    };
    let mut text = text
        .replace("{V}", &visitor)
        .replace("{S}", &session)
        .into_bytes();
    if let Some(byte) = text.get_mut(usize::from(at)) {
        *byte ^= change;
    }
    let Ok(value) = HeaderValue::from_bytes(&text) else {
        return false;
    };
    let headers = HeaderMap::from_iter([(header::COOKIE, value)]);
    // What a browser would have stored under a name, if the whole header can be read.
    let text = str::from_utf8(&text).unwrap_or_default();
    let is_plain = text
        .bytes()
        .all(|byte| (b' '..0x7f).contains(&byte) || byte == b'\t');
    let values = |name: &str| -> Vec<&str> {
        let pairs = text.split(';').filter(|_| is_plain);
        pairs
            .filter_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
            .collect()
    };
    // The proof may be in capitals, as hexadecimal digits may.
    let is_ours = |found: &str, ours: &str, name: usize| {
        found.is_char_boundary(name.min(found.len()))
            && found.get(..name) == ours.get(..name)
            && found.eq_ignore_ascii_case(ours)
    };

    let visitors = CookieVisitors::new(key, CookieConfig::default()).visitor(&headers);
    let found = values("hoist_visitor");
    let expected = if found.iter().any(|found| is_ours(found, &visitor, 32)) {
        Visitor::Known(owner)
    } else if found.is_empty() {
        Visitor::Nobody
    } else {
        Visitor::Unknown
    };
    assert_eq!(visitors, expected, "{text}");
    let has_session = values("hoist_session")
        .iter()
        .any(|found| is_ours(found, &session, 16));
    let left = passwords.session(&headers);
    assert_eq!(left.is_some(), has_session, "{text}");
    assert!(left.is_none_or(|left| left == 30 * 24 * 3_600_000));
    has_session || matches!(expected, Visitor::Known(_))
}

/// Headers, one a line, of a request to a server that has a file.
pub fn headers(bytes: &[u8]) -> bool {
    let mut request = Request::new(());
    for line in bytes.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name), HeaderValue::from_bytes(value))
        {
            request.headers_mut().append(name, value);
        }
    }
    let (parts, ()) = request.into_parts();
    let headers = &parts.headers;
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    origin(&parts, text(header::HOST));
    back(headers);
    known(headers, text(header::IF_NONE_MATCH), text(header::IF_RANGE));

    let said = text(header::CONTENT_TYPE);
    let safe = download::safe_type(said);
    let is_said = said.is_some_and(|said| said.to_ascii_lowercase().trim().starts_with(safe));
    assert!(is_said || safe == "application/octet-stream", "{said:?}");
    let runs = ["html", "svg", "xml", "script", "css"];
    assert!(!runs.iter().any(|word| safe.contains(word)));

    // Any text may be the name of a file.
    for value in headers.values() {
        let name = String::from_utf8_lossy(value.as_bytes());
        let disposition = download::disposition(&name);
        let encoded = disposition
            .strip_prefix("attachment; filename*=UTF-8''")
            .unwrap();
        assert!(
            encoded
                .bytes()
                .all(|c| c.is_ascii_alphanumeric() || b"-_.~%".contains(&c))
        );
        let form = format!("a={encoded}");
        let (_, decoded) = form_urlencoded::parse(form.as_bytes()).next().unwrap();
        assert_eq!(decoded, name);
        let code = ErrorCode::ALL
            .iter()
            .any(|code| name.contains(code.as_str()));
        assert!(code || form_problem(&name).is_none(), "{name}");
    }
    match token::token(headers) {
        Some(Ok(token)) => {
            let value = text(header::AUTHORIZATION).unwrap();
            assert!(value.to_ascii_lowercase().starts_with("bearer "), "{value}");
            assert!(value.ends_with(token.reveal()));
            true
        }
        Some(Err(_)) => false,
        None => !headers.is_empty(),
    }
}

/// Nobody but a page of this host, or a listed one, passes as one.
fn origin(parts: &http::request::Parts, host: Option<&str>) {
    let listed = "https://app.example";
    let said = parts.headers.get(header::ORIGIN);
    let site = parts.headers.get("sec-fetch-site");
    let expected = match (said, site.map(HeaderValue::as_bytes)) {
        (Some(said), _) if said == listed => Origin::Listed(said.clone()),
        (_, Some(b"same-origin" | b"none")) | (None, None) => Origin::Same,
        (_, Some(_)) => Origin::Foreign,
        (Some(said), None) => {
            // As a browser writes an origin: a scheme, a host, perhaps a port.
            let said = said.to_str().unwrap_or_default().to_ascii_lowercase();
            let host = host.map(str::to_ascii_lowercase);
            let is_own = host.is_some_and(|host| {
                let scheme = said.strip_suffix(&host).and_then(|s| s.strip_suffix("://"));
                scheme.is_some_and(|scheme| !scheme.contains("://"))
            });
            if is_own {
                Origin::Same
            } else {
                Origin::Foreign
            }
        }
    };
    assert_eq!(Origin::of(parts, &[listed.to_owned()]), expected);
}

/// Wherever a form goes back to is a page of this host, without the error of the form before.
fn back(headers: &HeaderMap) {
    let page = form::page(headers, "/otherwise");
    let mut letters = page.chars();
    assert_eq!(letters.next(), Some('/'), "{page}");
    // Browsers take a backslash for a slash: both would begin another host.
    assert!(!matches!(letters.next(), Some('/' | '\\')), "{page}");
    assert!(page.parse::<Uri>().unwrap().authority().is_none(), "{page}");
    assert!(HeaderValue::from_str(&page).is_ok());
    assert_eq!(
        form_problem(page.split_once('?').map_or("", |(_, query)| query)),
        None,
        "{page}"
    );
}

/// Nobody is told that they have a file, or sent a part of it, who has another one.
fn known(headers: &HeaderMap, if_none_match: Option<&str>, if_range: Option<&str>) {
    let etag = HeaderValue::from_static("\"5f0e\"");
    if download::is_known(headers, Some(&etag)) {
        let tags = if_none_match.unwrap();
        assert!(tags.contains("\"5f0e\"") || tags.contains('*'), "{tags}");
    }
    if download::wanted(headers, Some(&etag), 1000) != Wanted::Whole {
        assert!(if_range.is_none_or(|tag| tag == "\"5f0e\""), "{if_range:?}");
    }
}
