//! What must hold of the classic dialect's parsers; see [`crate::fuzzing`].

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a property that panics has failed"
)]

use form_urlencoded::Serializer;
use hoist_protocol::NewFile;
use http::{HeaderMap, HeaderValue, header};

use super::{file::Query, init};
use crate::fuzzing::run;

/// Most files of a list.
const MOST: usize = 16;
const BOUNDARY: &str = "--BOUND";

/// `r` and any body: what is read of it is within bounds. `s` and files, with the byte 0xff between
/// them, each a name, a size and a time with zeros between: every encoding says the same.
pub(crate) fn list(bytes: &[u8]) -> bool {
    match bytes.split_first() {
        Some((b'r', body)) => [false, true].iter().any(|is_form| {
            let files = parse(*is_form, body.to_vec());
            files.is_some_and(|files| {
                assert!(files.len() <= MOST);
                for file in files {
                    assert!(!file.name.contains('/'), "{file:?}");
                    assert!(file.size.is_some() && file.last_modified.is_some());
                }
                true
            })
        }),
        Some((b's', files)) => {
            let files: Option<Vec<_>> = files.split(|byte| *byte == 0xff).map(file).collect();
            files.is_some_and(|files| {
                agree(&files);
                true
            })
        }
        _ => false,
    }
}

type File<'a> = (&'a str, u64, i64);

fn file(bytes: &[u8]) -> Option<File<'_>> {
    let mut parts = str::from_utf8(bytes).ok()?.split('\0');
    let (name, size, time) = (parts.next()?, parts.next()?, parts.next()?);
    Some((name, size.parse().ok()?, time.parse().ok()?))
}

fn agree(files: &[File<'_>]) {
    let expected = files.iter().map(|(whole, size, time)| {
        let (path, name) = whole.rsplit_once('/').unwrap_or(("", whole));
        NewFile {
            name: name.to_owned(),
            path: path.to_owned(),
            size: Some(*size),
            last_modified: Some(*time),
            ..NewFile::default()
        }
    });
    let expected: Vec<_> = expected.collect();
    let expected = (expected.len() <= MOST).then_some(expected);

    let json: Vec<_> = files
        .iter()
        .map(|(name, size, time)| {
            serde_json::json!({ "name": name, "size": size, "lastModified": time, "x": [] })
        })
        .collect();
    let json = serde_json::to_string(&json).unwrap();
    assert_eq!(parse(false, json.clone().into_bytes()), expected, "JSON");
    let form = Serializer::new(String::new())
        .append_pair("data", &json)
        .finish();
    assert_eq!(parse(false, form.into_bytes()), expected, "a field of JSON");

    // The last first: it is the number that counts.
    let (mut form, mut parts) = (Serializer::new(String::new()), String::new());
    for (index, (name, size, time)) in files.iter().enumerate().rev() {
        let fields = [
            ("name", (*name).to_owned()),
            ("size", size.to_string()),
            ("lastModified", time.to_string()),
        ];
        for (field, value) in fields {
            let field = format!("data[{index}][{field}]");
            form.append_pair(&field, &value);
            parts += &format!(
                "{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n"
            );
        }
    }
    assert_eq!(parse(false, form.finish().into_bytes()), expected, "a form");
    if files.iter().all(|(name, ..)| !name.contains(BOUNDARY)) {
        parts += &format!("{BOUNDARY}--\r\n");
        assert_eq!(parse(true, parts.into_bytes()), expected, "multipart");
    }
}

fn parse(is_form: bool, body: Vec<u8>) -> Option<Vec<NewFile>> {
    let form = HeaderValue::from_static("multipart/form-data; boundary=BOUND");
    let headers = HeaderMap::from_iter(is_form.then_some((header::CONTENT_TYPE, form)));
    run(init::parse(&headers, body, MOST)).ok()
}

/// A query: the part that it names lies within its file, and written anew it names the same one.
pub(crate) fn query(bytes: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(bytes) else {
        return false;
    };
    let query = Query::parse(text);
    let Ok(part) = query.part() else { return false };
    let size = part.file.size.unwrap();
    assert!(part.range.start <= part.range.end && part.range.end <= size);
    assert!(!part.file.name.contains('/'));
    let whole = if part.file.path.is_empty() && !text.contains("%2") && !text.contains('/') {
        part.file.name.clone()
    } else {
        format!("{}/{}", part.file.path, part.file.name)
    };
    let written = |start: u64, length: u64| {
        Serializer::new(String::new())
            .append_pair("start", "of another value")
            .append_pair("name", &whole)
            .append_pair("size", &size.to_string())
            .append_pair(
                "lastModified",
                &part.file.last_modified.unwrap().to_string(),
            )
            .append_pair("length", &length.to_string())
            .append_pair("start", &start.to_string())
            .finish()
    };
    let again = written(part.range.start, part.range.len());
    let again = Query::parse(&again).part().unwrap();
    assert_eq!((again.file, again.range), (part.file.clone(), part.range));
    // One byte beyond the end is refused, also where the sum is too large for a number.
    let rest = size - part.range.start;
    for length in [rest.checked_add(1), Some(u64::MAX)].into_iter().flatten() {
        let beyond = written(part.range.start, length);
        let fits = length <= rest;
        assert_eq!(Query::parse(&beyond).part().is_ok(), fits, "{beyond}");
    }
    true
}
