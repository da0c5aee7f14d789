//! The examples of PROTOCOL.md are what the types read and write.

// A test that panics has failed.
#![allow(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::unwrap_used
)]

use std::{collections::BTreeMap, fmt::Debug};

use hoist_protocol::{
    ChunkLayout, CreateRequest, CreateResponse, DeleteRequest, DeleteResponse, ErrorBody,
    ErrorClass, ErrorCode, FormResponse, Limits, ListResponse, PackManifest, PackResponse,
    RevokeRequest, RevokeResponse, SocketAnswer, SocketPack, SocketTaken, StatusRequest,
    StatusResponse, TokenRequest, TokenResponse, chunk_checksum, merge_checksums,
};
use serde::{Serialize, de::DeserializeOwned};

const PAGE: &str = include_str!("../../../PROTOCOL.md");

/// The code blocks of the page by their info string.
fn blocks() -> BTreeMap<String, String> {
    let mut blocks = BTreeMap::new();
    let mut open: Option<(String, String)> = None;
    for line in PAGE.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(info), None) => open = Some((info.to_owned(), String::new())),
            (Some(_), Some(_)) => {
                let (info, text) = open.take().unwrap();
                // The classic dialect's, which crates/http/tests sends as they stand.
                if info == "text" {
                    continue;
                }
                assert_eq!(
                    blocks.insert(info.clone(), text),
                    None,
                    "{info} is there twice"
                );
            }
            (None, Some((_, text))) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks
}

/// JSON without the white space between its tokens.
fn compact(json: &str) -> String {
    let mut text = String::new();
    let (mut is_string, mut is_escaped) = (false, false);
    for letter in json.chars() {
        if is_string || !letter.is_whitespace() {
            text.push(letter);
        }
        if letter == '"' && !is_escaped {
            is_string = !is_string;
        }
        is_escaped = letter == '\\' && !is_escaped;
    }
    text
}

/// Reads the example and writes it again, byte for byte.
fn round_trip<T: Serialize + DeserializeOwned + PartialEq + Debug>(example: &str) {
    let value: T = serde_json::from_str(example).unwrap();
    assert_eq!(serde_json::to_string(&value).unwrap(), compact(example));
    // Unknown fields are ignored.
    let mut later: serde_json::Value = serde_json::from_str(example).unwrap();
    later["something from version 2"] = serde_json::json!({"a": [1]});
    assert_eq!(serde_json::from_value::<T>(later).unwrap(), value);
}

#[test]
fn every_example_is_what_the_program_reads_and_writes() {
    let mut seen = 0;
    for (info, example) in blocks() {
        let Some(name) = info.strip_prefix("json ") else {
            continue;
        };
        seen += 1;
        match name {
            "CreateRequest" => round_trip::<CreateRequest>(&example),
            "CreateResponse" => round_trip::<CreateResponse>(&example),
            "PackManifest" | "PackManifest small" => round_trip::<PackManifest>(&example),
            "PackResponse" => round_trip::<PackResponse>(&example),
            "SocketPack" => round_trip::<SocketPack>(&example),
            "SocketTaken" => round_trip::<SocketTaken>(&example),
            "SocketAnswer" => round_trip::<SocketAnswer>(&example),
            "StatusRequest" => round_trip::<StatusRequest>(&example),
            "StatusResponse" => round_trip::<StatusResponse>(&example),
            "ListResponse" => round_trip::<ListResponse>(&example),
            "DeleteRequest" => round_trip::<DeleteRequest>(&example),
            "DeleteResponse" => round_trip::<DeleteResponse>(&example),
            "FormResponse" => round_trip::<FormResponse>(&example),
            "TokenRequest" => round_trip::<TokenRequest>(&example),
            "TokenResponse" => round_trip::<TokenResponse>(&example),
            "RevokeRequest" => round_trip::<RevokeRequest>(&example),
            "RevokeResponse" => round_trip::<RevokeResponse>(&example),
            "Limits" => round_trip::<Limits>(&example),
            "ErrorBody" => round_trip::<ErrorBody>(&example),
            other => panic!("no type for the example {other}"),
        }
    }
    assert_eq!(seen, 20, "an example is missing");
}

#[test]
fn every_answer_that_there_is_has_an_example() {
    let blocks = blocks();
    for (name, tag, words) in [
        (
            "CreateResponse",
            "answer",
            &["needed", "present", "conflict", "refused"][..],
        ),
        ("PackResponse", "result", &["acknowledged", "refused"]),
        (
            "StatusResponse",
            "status",
            &["unfinished", "finished", "gone"],
        ),
        (
            "DeleteResponse",
            "result",
            &["deleted", "deleting", "restored", "refused"],
        ),
    ] {
        let example = compact(&blocks[&format!("json {name}")]);
        for word in words {
            assert!(
                example.contains(&format!("\"{tag}\":\"{word}\"")),
                "{name} {word}"
            );
        }
    }
}

#[test]
fn the_pack_is_its_manifest_behind_its_length_and_the_bytes() {
    let blocks = blocks();
    let digits: String = blocks["hex Pack"].split_whitespace().collect();
    let pack: Vec<u8> = (0..digits.len() / 2)
        .map(|n| u8::from_str_radix(&digits[2 * n..2 * n + 2], 16).unwrap())
        .collect();
    let manifest = blocks["json PackManifest small"].trim_end();
    let length = u32::from_be_bytes(pack[..4].try_into().unwrap()) as usize;
    assert_eq!(&pack[4..4 + length], manifest.as_bytes());
    assert_eq!(&pack[4 + length..], b"hello");
    let manifest: PackManifest = serde_json::from_str(manifest).unwrap();
    let layout = ChunkLayout::new(5, 65_536).unwrap();
    assert_eq!(manifest.chunks[0].length, 5);
    assert_eq!(
        manifest.chunks[0].checksum,
        Some(chunk_checksum(layout, 0, b"hello").unwrap())
    );
}

#[test]
fn the_vectors_are_true() {
    let file: Vec<u8> = (0..131_073u32).map(|n| (n % 251) as u8).collect();
    let layout = ChunkLayout::new(131_073, 65_536).unwrap();
    let mut expected = String::new();
    let mut checksums = Vec::new();
    for index in 0..layout.count() {
        let range = layout.range(index).unwrap();
        let part = &file[range.start as usize..range.end as usize];
        let checksum = chunk_checksum(layout, index, part).unwrap();
        expected.push_str(&format!("{index} {} {checksum}\n", range.len()));
        checksums.push(checksum);
    }
    let merged = merge_checksums(layout, checksums).unwrap();
    assert_eq!(merged.to_string(), blake3::hash(&file).to_hex().to_string());
    assert_eq!(blocks()["text vectors"], format!("{expected}{merged}\n"));
}

#[test]
fn the_table_of_errors_is_the_programs() {
    for &code in ErrorCode::ALL {
        let class = match code.class() {
            ErrorClass::Refused => "refused",
            ErrorClass::SignIn => "sign in",
            ErrorClass::Gone => "gone",
            ErrorClass::Resync => "resync",
            ErrorClass::Wait => "wait",
            ErrorClass::Full => "full",
        };
        let row = PAGE
            .lines()
            .find(|line| line.starts_with(&format!("| {class} | ")))
            .unwrap();
        let entry = format!("`{code}` {}", code.status());
        assert!(row.contains(&entry), "{entry} is not in the row of {class}");
    }
}

#[test]
fn the_numbers_of_the_page_are_the_defaults() {
    let written: Limits = serde_json::from_str(&blocks()["json Limits"]).unwrap();
    let defaults = Limits {
        types: written.types.clone(),
        quota_left: written.quota_left,
        ..Limits::default()
    };
    assert_eq!(written, defaults);
}
