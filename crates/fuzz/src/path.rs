//! Names, folders and ids from outside.

use std::path::{Component, Path};

use hoist_protocol::{
    Checksum, MAX_NAME_BYTES, MAX_PATH_BYTES, MAX_PATH_DEPTH, RelativePath, Sender, UploadId,
};

/// A folder and a name, with the byte 0xff between them, as a path; each of them as an id.
pub(crate) fn path(bytes: &[u8]) -> bool {
    let mut parts = bytes.splitn(2, |byte| *byte == 0xff).map(str::from_utf8);
    let (Some(Ok(folder)), Some(Ok(name))) = (parts.next(), parts.next()) else {
        return false;
    };
    let mut is_taken = false;
    for text in [folder, name] {
        is_taken |= has_one_spelling(text);
    }
    let whole = if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    };
    let path = RelativePath::new(folder, name);
    // As the operating system reads it, and not as we do.
    let as_the_system: Vec<_> = Path::new(&whole).components().collect();
    let names: Vec<_> = as_the_system
        .iter()
        .filter_map(|component| match component {
            Component::Normal(name) => name.to_str(),
            _ => None,
        })
        .collect();
    let is_plain = names.join("/") == whole
        && !name.is_empty()
        && !name.contains('/')
        && !whole.contains('\0')
        && names.iter().all(|name| name.len() <= MAX_NAME_BYTES)
        && folder.len() + 1 + name.len() <= MAX_PATH_BYTES
        && names.len() <= MAX_PATH_DEPTH;
    assert_eq!(path.is_ok(), is_plain, "{whole:?}: {path:?}");
    let Ok(path) = path else { return is_taken };
    assert_eq!(path.to_string(), whole);
    assert_eq!(path.components().collect::<Vec<_>>(), names);
    assert_eq!((path.folder(), path.name()), (folder, name));
    true
}

/// A text as each of the ids: the wrong ones are refused, and the right ones have one spelling.
fn has_one_spelling(text: &str) -> bool {
    let is_hex = |length| {
        let is_digit = |c: u8| b"0123456789abcdef".contains(&c);
        text.len() == length && text.bytes().all(is_digit)
    };
    let id = text.parse::<UploadId>();
    assert_eq!(id.is_ok(), is_hex(32), "{text:?}");
    let sum = text.parse::<Checksum>();
    assert_eq!(sum.is_ok(), is_hex(64), "{text:?}");
    let sender = Sender::new(text);
    let is_sender = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    assert_eq!(
        sender.is_ok(),
        (1..=64).contains(&text.chars().count()) && text.chars().all(is_sender),
        "{text:?}"
    );
    let spellings = [
        id.ok().map(|id| id.to_string()),
        sum.ok().map(|sum| sum.to_string()),
        sender.ok().map(|sender| sender.as_str().to_owned()),
    ];
    let spellings: Vec<_> = spellings.into_iter().flatten().collect();
    assert!(spellings.iter().all(|spelling| spelling == text));
    !spellings.is_empty()
}
