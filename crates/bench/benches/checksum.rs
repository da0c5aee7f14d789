//! Checksums of chunks, and the hash of a file from them.

use divan::{Bencher, black_box, counter::BytesCount};
use hoist_bench::inputs::{checksum, layout, noise};
use hoist_protocol::{chunk_checksum, merge_checksums};

fn main() {
    divan::main();
}

/// With all that this processor can do.
#[divan::bench]
fn hash_1_mib(bencher: Bencher<'_, '_>) {
    let (layout, bytes) = (layout(8), noise(1 << 20));
    bencher
        .counter(BytesCount::of_slice(&bytes))
        .bench_local(|| chunk_checksum(layout, 3, black_box(&bytes)));
}

/// A file of 10 KiB is one chunk; its checksum is the hash itself.
#[divan::bench]
fn hash_small_file(bencher: Bencher<'_, '_>) {
    let bytes = noise(10 << 10);
    let layout = hoist_protocol::ChunkLayout::new(10 << 10, 1 << 20);
    bencher
        .counter(BytesCount::of_slice(&bytes))
        .bench_local(|| layout.and_then(|layout| chunk_checksum(layout, 0, black_box(&bytes))));
}

#[divan::bench(args = [1000, 1 << 20])]
fn merge(bencher: Bencher<'_, '_>, chunks: u32) {
    let layout = layout(chunks);
    let checksums: Vec<_> = (0..chunks).map(checksum).collect();
    bencher
        .counter(chunks)
        .bench_local(|| merge_checksums(layout, black_box(&checksums).iter().copied()));
}
