//! Which bytes are which chunks, and which of them are there.

use divan::{Bencher, black_box};
use hoist_bench::inputs::layout;
use hoist_protocol::{ByteRange, ChunkSet, DEFAULT_CHUNK_SIZE};

fn main() {
    divan::main();
}

/// The bytes of each chunk of the largest file, and back.
#[divan::bench(args = [1 << 20])]
fn layout_there_and_back(bencher: Bencher<'_, '_>, chunks: u32) {
    let layout = layout(chunks);
    bencher.counter(chunks).bench_local(|| {
        (0..chunks)
            .filter_map(|index| layout.index_at(layout.range(black_box(index))?.start))
            .fold(0u64, |sum, index| sum + u64::from(index))
    });
}

/// A file that arrives from its start to its end.
#[divan::bench(args = [1000, 1 << 20])]
fn insert_in_order(bencher: Bencher<'_, '_>, chunks: u32) {
    bencher
        .counter(chunks)
        .bench_local(|| (0..black_box(chunks)).collect::<ChunkSet>());
}

/// Worst first: every other chunk, then those between them.
#[divan::bench(args = [1000, 1 << 20])]
fn insert_with_gaps(bencher: Bencher<'_, '_>, chunks: u32) {
    bencher.counter(chunks).bench_local(|| {
        let even = (0..black_box(chunks)).step_by(2);
        even.chain((1..chunks).step_by(2)).collect::<ChunkSet>()
    });
}

/// What a server says it has of a file, as chunks: one range, or every other chunk.
#[divan::bench(args = ["one range", "every other chunk"])]
fn from_byte_ranges(bencher: Bencher<'_, '_>, what: &str) {
    let layout = layout(1 << 20);
    let ranges = if what == "one range" {
        vec![ByteRange::new(0, layout.file_size())]
    } else {
        (0..1 << 19)
            .map(|number| number * 2 * DEFAULT_CHUNK_SIZE)
            .map(|start| ByteRange::new(start, start + DEFAULT_CHUNK_SIZE))
            .collect()
    };
    bencher.bench_local(|| ChunkSet::from_byte_ranges(layout, black_box(&ranges)));
}

/// And back: what a status says of it.
#[divan::bench]
fn byte_ranges_of_every_other_chunk(bencher: Bencher<'_, '_>) {
    let layout = layout(1 << 20);
    let set: ChunkSet = (0..1 << 20).step_by(2).collect();
    bencher.bench_local(|| black_box(&set).byte_ranges(layout));
}
