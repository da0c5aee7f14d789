//! Goes one hot path so many times, for `scripts/instructions`, which counts what the processor is told.
//!
//! ```text
//! count              names the paths
//! count NAME ROUNDS  goes one
//! ```
//!
//! What is prepared is prepared once, however many rounds there are: the difference between 2 and 1 rounds is
//! the cost of one. So a path does the same in each round, and nothing in it is random.
#![expect(clippy::print_stdout, reason = "its result")]

use std::{env, hint::black_box, io};

use hoist_bench::{
    inputs::{checksum, create, created, json, layout, manifest, noise, picked},
    page::Page,
};
use hoist_protocol::{
    ByteRange, ChunkSet, CreateRequest, CreateResponse, DEFAULT_CHUNK_SIZE, PackManifest,
    chunk_checksum, merge_checksums,
};
use reader::from_slice;

/// The browser's own reader of JSON; by its path, for leptos takes minutes to build.
#[cfg(not(test))]
#[allow(unreachable_pub, reason = "it is public where it belongs")]
#[rustfmt::skip]
#[path = "../../../uploader/src/json/mod.rs"]
mod reader;
/// It would bring its tests along.
#[cfg(test)]
use serde_json as reader;

/// One round.
type Round = Box<dyn FnMut()>;

/// A path's name, and what prepares it.
type Path = (&'static str, fn() -> Round);

const PATHS: &[Path] = &[
    ("hash-1-mib", hash),
    ("merge-1000", merge),
    ("chunk-set-in-order", in_order),
    ("chunk-set-with-gaps", with_gaps),
    ("chunk-set-from-bytes", from_bytes),
    ("manifest-read-1000", manifest_read),
    ("manifest-write-1000", manifest_write),
    ("create-read-1000", create_read),
    ("created-read-in-page-1000", created_read),
    ("engine-add-10000", add),
    ("engine-send-1000-small", send_small),
    ("engine-send-1024-chunks", send_large),
];

/// Without `portable` BLAKE3 does as much at once as the processor can, and the counts are that machine's own.
fn hash() -> Round {
    let (layout, bytes) = (layout(8), noise(1 << 20));
    round(move || chunk_checksum(layout, 3, black_box(&bytes)))
}

fn merge() -> Round {
    let checksums: Vec<_> = (0..1000).map(checksum).collect();
    round(move || merge_checksums(layout(1000), black_box(&checksums).iter().copied()))
}

fn in_order() -> Round {
    round(|| black_box(0..100_000).collect::<ChunkSet>())
}

/// As chunks come over four connections that are not equally fast.
fn with_gaps() -> Round {
    round(|| {
        (0..10_000)
            .map(|step| black_box(step) % 4 * 2500 + step / 4)
            .collect::<ChunkSet>()
    })
}

/// What a server had of a file of 100 GB that it has half of, in pieces.
fn from_bytes() -> Round {
    let ranges: Vec<_> = (0..1000)
        .map(|number| ByteRange::new((number * 100) << 20, (number * 100 + 50) << 20))
        .collect();
    round(move || ChunkSet::from_byte_ranges(layout(100_000), black_box(&ranges)))
}

fn manifest_read() -> Round {
    let text = json(&manifest(1000));
    round(move || serde_json::from_slice::<PackManifest>(black_box(&text)))
}

fn manifest_write() -> Round {
    let manifest = manifest(1000);
    round(move || json(black_box(&manifest)))
}

fn create_read() -> Round {
    let text = json(&create(1000, 10 << 10));
    round(move || serde_json::from_slice::<CreateRequest>(black_box(&text)))
}

fn created_read() -> Round {
    let text = json(&created(1000));
    round(move || from_slice::<CreateResponse>(black_box(&text)))
}

fn add() -> Round {
    let files = picked(10_000, 10 << 10);
    round(move || {
        let mut page = Page::new(DEFAULT_CHUNK_SIZE);
        page.add(files.clone());
        page
    })
}

fn send_small() -> Round {
    let files = picked(1000, 10 << 10);
    round(move || {
        let mut page = Page::new(DEFAULT_CHUNK_SIZE);
        page.add(files.clone());
        page.send()
    })
}

fn send_large() -> Round {
    round(|| {
        let mut page = Page::new(DEFAULT_CHUNK_SIZE);
        page.add(picked(1, 1 << 30));
        page.send()
    })
}

/// Keeps what a path gives, so that the compiler cannot leave it out.
fn round<T>(mut path: impl FnMut() -> T + 'static) -> Round {
    Box::new(move || drop(black_box(path())))
}

fn main() -> io::Result<()> {
    let mut words = env::args().skip(1);
    let Some(name) = words.next() else {
        PATHS.iter().for_each(|(name, _)| println!("{name}"));
        return Ok(());
    };
    let wrong = |told| io::Error::new(io::ErrorKind::InvalidInput, told);
    let (_, prepare) = PATHS
        .iter()
        .find(|(path, _)| *path == name)
        .ok_or(wrong("no such path"))?;
    let rounds = words.next().and_then(|rounds| rounds.parse::<u32>().ok());
    let rounds = rounds.ok_or(wrong("how many rounds?"))?;
    let mut round = prepare();
    (0..rounds).for_each(|_| round());
    Ok(())
}
