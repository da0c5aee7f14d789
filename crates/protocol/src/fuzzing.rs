//! What must hold of every parser of this crate, whatever bytes come; for `cargo fuzz` and for the
//! corpora in `fuzz/corpus`, which the tests replay. No part of the API.
//!
//! Each function panics if something does not hold, and says whether its parser took the bytes.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a property that panics has failed"
)]

use std::{
    collections::BTreeSet,
    fmt::Debug,
    path::{Component, Path},
};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, from_slice, from_str, to_string, to_value};

use crate::*;

/// Each property by the name of its corpus.
pub const TARGETS: [(&str, fn(&[u8]) -> bool); 3] =
    [("chunks", chunks), ("messages", messages), ("names", names)];

/// A message, whose first byte says which: what is read says what was written, and comes back.
pub fn messages(bytes: &[u8]) -> bool {
    let Some((kind, text)) = bytes.split_first() else {
        return false;
    };
    match kind {
        b'a' => comes_back::<CreateRequest>(text),
        b'b' => comes_back::<CreateResponse>(text),
        b'c' => comes_back::<PackManifest>(text),
        b'd' => comes_back::<PackResponse>(text),
        b'e' => comes_back::<StatusRequest>(text),
        b'f' => comes_back::<StatusResponse>(text),
        b'g' => comes_back::<ListResponse>(text),
        b'h' => comes_back::<DeleteRequest>(text),
        b'i' => comes_back::<DeleteResponse>(text),
        b'j' => comes_back::<Limits>(text),
        b'k' => comes_back::<ErrorBody>(text),
        b'l' => comes_back::<TokenRequest>(text),
        b'm' => comes_back::<TokenResponse>(text),
        b'n' => comes_back::<RevokeRequest>(text),
        b'o' => comes_back::<RevokeResponse>(text),
        _ => false,
    }
}

fn comes_back<T: Serialize + DeserializeOwned + PartialEq + Debug>(text: &[u8]) -> bool {
    let Ok(message) = from_slice::<T>(text) else {
        return false;
    };
    let written = to_string(&message).unwrap();
    assert_eq!(from_str::<T>(&written).unwrap(), message, "{written}");
    // What is no value at all is read only where nobody looks: in a field that is not ours.
    if let Ok(input) = from_slice::<Value>(text) {
        let output = to_value(&message).unwrap();
        assert!(says(&input, &output), "{input} was read as {output}");
    }
    true
}

/// Whether all that was understood stands in what was read.
fn says(input: &Value, understood: &Value) -> bool {
    match (input, understood) {
        (Value::Object(input), Value::Object(understood)) => {
            understood.iter().all(|(name, value)| {
                let said = input.get(name).filter(|said| !said.is_null());
                said.map_or_else(|| is_default(name, value), |said| says(said, value))
            })
        }
        (Value::Array(input), Value::Array(understood)) if input.len() == understood.len() => {
            let is_range = understood.len() == 2 && understood.iter().all(Value::is_u64);
            if is_range {
                // A range that ends before it begins is an empty one.
                let end = input[1].as_u64().max(input[0].as_u64());
                return input[0] == understood[0] && end == understood[1].as_u64();
            }
            input.iter().zip(understood).all(|(a, b)| says(a, b))
        }
        // As serde has it, fields may stand in a list, and a word be the name of a field.
        (Value::Array(_), Value::Object(_)) => true,
        (Value::Object(input), Value::String(word)) => input.len() == 1 && input.contains_key(word),
        _ => input == understood,
    }
}

/// Whether a field has this value if it is not there.
fn is_default(name: &str, value: &Value) -> bool {
    let limits = to_value(Limits::default()).unwrap();
    limits.get(name) == Some(value)
        || matches!(
            (name, value.as_str()),
            ("kind", Some("file")) | ("onConflict", Some("keep_both"))
        )
}

/// A folder and a name, with the byte 0xff between them, as a path; each of them as an id.
pub fn names(bytes: &[u8]) -> bool {
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

/// Two sizes, and then which chunks come and go: against arithmetic in the large, and a plain set.
pub fn chunks(bytes: &[u8]) -> bool {
    let Some((sizes, rest)) = bytes.split_first_chunk::<20>() else {
        return false;
    };
    let number = |from: usize| u64::from_be_bytes(sizes[from..from + 8].try_into().unwrap());
    let (size, chunk_size) = (number(0), number(8));
    let wished = ChunkLayout::nearest_chunk_size(Some(size), chunk_size);
    assert_eq!(wished.is_some(), size <= MAX_FILE_SIZE);
    assert!(wished.is_none_or(|wished| ChunkLayout::new(size, wished).is_ok()));
    let is_size = (16..=24).any(|power| 1 << power == chunk_size);
    let fits = is_size && u128::from(size) <= u128::from(chunk_size) << 20;
    let layout = ChunkLayout::new(size, chunk_size);
    assert_eq!(layout.is_ok(), fits, "{size} in {chunk_size}");
    let Ok(layout) = layout else { return false };

    let index = u32::from_be_bytes(sizes[16..20].try_into().unwrap());
    for index in [index, index % (layout.count().max(1)), layout.count()] {
        let start = u128::from(index) * u128::from(chunk_size);
        let end = (start + u128::from(chunk_size)).min(u128::from(size));
        let range = layout.range(index);
        assert_eq!(range.is_some(), start < u128::from(size));
        let Some(range) = range else { continue };
        assert_eq!((u128::from(range.start), u128::from(range.end)), (start, end));
        assert_eq!(layout.index_at(range.start), Some(index));
        assert_eq!(layout.index_at(range.end - 1), Some(index));
    }
    arrive(layout, rest);
    pieces(rest);
    true
}

/// Each pair of bytes is a chunk that comes or, with the highest bit, goes.
fn arrive(layout: ChunkLayout, bytes: &[u8]) {
    let (mut set, mut model) = (ChunkSet::new(), BTreeSet::new());
    for &[kind, index] in bytes.as_chunks::<2>().0 {
        let index = match kind & 0x7f {
            // Beside the ends of what there can be.
            0x7f => u32::MAX - u32::from(index),
            high => u32::from(high & 3) << 8 | u32::from(index),
        };
        if kind & 0x80 != 0 {
            assert_eq!(set.remove(index), model.remove(&index));
        } else if index != u32::MAX {
            assert_eq!(set.insert(index), model.insert(index));
        }
        assert_eq!(set.contains(index), model.contains(&index));
        let missing = (index..layout.count()).find(|index| !model.contains(index));
        assert_eq!(set.first_missing(index, layout.count()), missing);
    }
    assert_eq!(set.len() as usize, model.len());
    let listed: Vec<_> = set.ranges().flat_map(|(start, end)| start..end).collect();
    assert!(listed.iter().eq(&model), "{listed:?} for {model:?}");
    assert!(
        set.ranges().zip(set.ranges().skip(1)).all(|(one, next)| one.1 < next.0),
        "two ranges touch"
    );
    set.ranges().for_each(|(start, end)| assert!(start < end));
    // Within the file, the bytes are those of the chunks.
    for index in model.iter().filter(|index| **index >= layout.count()) {
        assert!(set.remove(*index));
    }
    let ranges = set.byte_ranges(layout);
    let sum: u64 = ranges.iter().map(|range| range.len()).sum();
    let lengths = model.iter().filter_map(|index| layout.range(*index));
    assert_eq!(sum, lengths.map(ByteRange::len).sum::<u64>());
    assert_eq!(sum, set.bytes(layout));
    assert!(ranges.iter().all(|range| range.end <= layout.file_size()));
    assert_eq!(ChunkSet::from_byte_ranges(layout, &ranges), set);
}

/// A file of one chunk has the hash of its bytes, however they come.
fn pieces(bytes: &[u8]) {
    let Ok(layout) = ChunkLayout::new(bytes.len() as u64, MIN_CHUNK_SIZE) else {
        return;
    };
    if layout.count() != 1 {
        return;
    }
    let mut hasher = ChunkHasher::new(layout, 0).unwrap();
    for piece in bytes.chunks(usize::from(bytes[0]) + 1) {
        hasher.update(piece).unwrap();
    }
    assert_eq!(hasher.update(b"x"), Err(LayoutError::Length));
    let checksum = hasher.finish().unwrap();
    assert_eq!(checksum.as_bytes(), blake3::hash(bytes).as_bytes());
    assert_eq!(merge_checksums(layout, [checksum]), Ok(checksum));
}

#[cfg(test)]
#[path = "../../../fuzz/replay.rs"]
mod replay;

#[test]
#[cfg(test)]
fn what_the_fuzzer_found_and_was_given_holds() {
    replay::replay("hoist-protocol", &TARGETS);
}
