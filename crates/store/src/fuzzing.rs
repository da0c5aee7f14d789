//! What must hold of the parsers of this crate that are reached only through others, whatever bytes
//! come; for `crates/fuzz`, which has the corpora. No part of the API.
//!
//! Each function panics if something does not hold, and says whether its parser took the bytes.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a property that panics has failed"
)]

use std::{
    fs,
    path::{Component, Path},
    sync::Arc,
};

use hoist_protocol::{
    ByteRange, MAX_CHUNKS, MAX_NAME_BYTES, MIN_CHUNK_SIZE, RelativePath, UploadId,
};
use unicode_normalization::UnicodeNormalization as _;

use crate::{
    Durability, Owner, Token,
    active::Active,
    backend::Backend as _,
    disk::{DiskBackend, RealDisk, layout},
    load::read_set,
    read,
};

/// A text as what says where a page of a list ended, as an owner, and as a token.
pub fn cursor(bytes: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(bytes) else {
        return false;
    };
    let after = read::parse_after(text);
    if let Ok(after) = &after {
        let part = if after.finished { "f" } else { "u" };
        let written = format!("{part}{}-{}", after.time, after.id);
        assert_eq!(written, text, "a cursor has one spelling");
    }
    let is_plain = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '_' | '-');
    let owner = Owner::new(text);
    let is_owner = !text.is_empty() && text.len() <= 64 && text.chars().all(is_plain);
    assert_eq!(owner.is_some(), is_owner, "{text:?}");
    let token = Token::parse(text);
    let digits = text.strip_prefix("hoist_").unwrap_or_default();
    let is_token = digits.len() == 64 && digits.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'));
    assert_eq!(token.is_some(), is_token, "{text:?}");
    if let Some(token) = &token {
        assert_eq!(token.reveal(), text);
        assert!(
            !format!("{token:?}").contains(digits),
            "a log could show it"
        );
    }
    after.is_ok() || owner.is_some() || token.is_some()
}

/// Four bytes of a number, a folder and a name, with the byte 0xff between them, to a place on the
/// disk: it stays below its owner's folder, and every system can hold it.
pub fn places(bytes: &[u8]) -> bool {
    let Some((number, rest)) = bytes.split_first_chunk::<4>() else {
        return false;
    };
    let mut parts = rest.splitn(2, |byte| *byte == 0xff).map(str::from_utf8);
    let (Some(Ok(folder)), Some(Ok(name))) = (parts.next(), parts.next()) else {
        return false;
    };
    let Ok(path) = RelativePath::new(folder, name) else {
        return false;
    };
    let spelled = layout::spelled(&path);
    assert_eq!(spelled.split('/').count(), path.components().count());
    for name in spelled.split('/') {
        let is_bad = |c: char| c.is_control() || r#"<>:"/|?*\"#.contains(c);
        assert!(!name.contains(is_bad), "{name:?}");
        assert!(!name.ends_with(['.', ' ']), "{name:?}");
    }
    // Spelling a name that is spelled so already changes nothing.
    let (folder, name) = spelled.rsplit_once('/').unwrap_or(("", &spelled));
    let again = RelativePath::new(folder, name).map(|path| layout::spelled(&path));
    assert_eq!(again.as_ref(), Ok(&spelled));
    // One name in two Unicode forms, or in capitals, is one name.
    let key = layout::key(&spelled);
    assert_eq!(layout::key(&spelled.nfd().collect::<String>()), key);
    assert_eq!(layout::key(&spelled.nfc().collect::<String>()), key);
    assert_eq!(layout::key(&spelled.to_ascii_uppercase()), key);

    let number = u32::from_be_bytes(*number);
    let numbered = layout::numbered(&spelled, number);
    let (same_folder, new_name) = numbered.rsplit_once('/').unwrap_or(("", &numbered));
    assert_eq!(same_folder, folder);
    assert!(number > 1 || new_name == name);
    assert!(number <= 1 || new_name.contains(&format!(" ({number})")));
    for (owner, below) in [
        (Owner::shared(), "files"),
        (Owner::anonymous(), "visitors/anonymous"),
    ] {
        let place = layout::place(&owner, &numbered);
        let below_it = Path::new(&place).strip_prefix(below).unwrap();
        let names: Vec<_> = below_it.components().collect();
        assert_eq!(names.len(), path.components().count(), "{place:?}");
        for name in names {
            let Component::Normal(name) = name else {
                panic!("{place:?} leads elsewhere");
            };
            assert!(name.len() <= MAX_NAME_BYTES, "{name:?}");
        }
    }
    true
}

/// What lies beside the bytes of an upload, as a crash or a bad disk may leave it: a size in eight
/// bytes, then checksums or ranges. Nothing outside of the file is believed to be there.
pub fn sidecar(bytes: &[u8]) -> bool {
    let Some(([kind, size @ ..], rest)) = bytes.split_first_chunk::<9>() else {
        return false;
    };
    let size = u64::from_be_bytes(*size);
    let size = (size <= MAX_CHUNKS * MIN_CHUNK_SIZE).then_some(size);
    let folder = tempfile::tempdir().unwrap();
    let id = UploadId::from_bytes([7; 16]);
    let path = folder.path().join(layout::incoming(id));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, b"").unwrap();
    let side = if kind & 1 == 0 { "sums" } else { "ranges" };
    fs::write(path.with_extension(side), rest).unwrap();
    let disk = Arc::new(RealDisk::open(folder.path()).unwrap());
    let backend = DiskBackend::new(disk, Durability::Process);
    let incoming = backend.incoming(id).unwrap().unwrap();
    if kind & 2 != 0 {
        incoming.drop_unsafe_ranges().unwrap();
    }

    let set = read_set(&*incoming).unwrap();
    for (index, sum) in (0..).zip(rest.as_chunks::<32>().0) {
        let is_there = side == "sums" && *sum != [0; 32];
        assert_eq!(set.contains(index), is_there, "chunk {index}");
    }
    assert!(set.len() as usize <= rest.len() / 32);
    let ranges = incoming.ranges().unwrap();
    assert!(ranges.iter().all(|(start, end)| start < end));

    let active = Active::new(id, MIN_CHUNK_SIZE, size);
    let ranges = ranges.into_iter().map(ByteRange::from).collect();
    active.lock().restore(MIN_CHUNK_SIZE, set, ranges);
    let received = active.lock().received(MIN_CHUNK_SIZE);
    assert!(received.iter().all(|range| !range.is_empty()));
    let mut neighbours = received.iter().zip(received.iter().skip(1));
    assert!(
        neighbours.all(|(one, next)| one.end < next.start),
        "{received:?}"
    );
    if let Some(size) = size {
        let sum: u64 = received.iter().map(|range| range.len()).sum();
        assert!(
            received.iter().all(|range| range.end <= size),
            "{received:?} of {size}"
        );
        assert_eq!(
            active.lock().is_whole(MIN_CHUNK_SIZE),
            sum == size,
            "{received:?} of {size}"
        );
    }

    // What comes next is understood, whatever was torn before it.
    let before = incoming.ranges().unwrap();
    incoming.add_range(3, 9, true).unwrap();
    assert_eq!(
        incoming.ranges().unwrap(),
        [&before[..], &[(3, 9)]].concat()
    );
    let index = u32::try_from(rest.len()).unwrap();
    incoming.write_sum(index, &[1; 32]).unwrap();
    assert!(read_set(&*incoming).unwrap().contains(index));
    !received.is_empty()
}
