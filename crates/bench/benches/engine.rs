//! The engine's own work in a page: a server that takes everything, and no bytes.

use divan::{Bencher, counter::ItemsCount};
use hoist_bench::{inputs::picked, page::Page};
use hoist_protocol::DEFAULT_CHUNK_SIZE;

fn main() {
    divan::main();
}

/// Files that are added and not sent yet.
#[divan::bench(args = [10_000, 100_000], sample_count = 20)]
fn add(bencher: Bencher<'_, '_>, files: u32) {
    bencher
        .counter(ItemsCount::new(files))
        .with_inputs(|| (Page::new(DEFAULT_CHUNK_SIZE), picked(files, 10 << 10)))
        .bench_local_values(|(mut page, files)| {
            page.add(files);
            page
        });
}

/// Small files, from the first to *complete*.
#[divan::bench(args = [1000, 10_000], sample_count = 20)]
fn send_small(bencher: Bencher<'_, '_>, files: u32) {
    bencher
        .counter(ItemsCount::new(files))
        .with_inputs(|| (Page::new(DEFAULT_CHUNK_SIZE), picked(files, 10 << 10)))
        .bench_local_values(|(mut page, files)| {
            page.add(files);
            page.send();
            page
        });
}

/// One file of so many chunks.
#[divan::bench(args = [1024, 16_384], sample_count = 20)]
fn send_large(bencher: Bencher<'_, '_>, chunks: u32) {
    let size = u64::from(chunks) * DEFAULT_CHUNK_SIZE;
    bencher
        .counter(ItemsCount::new(chunks))
        .with_inputs(|| (Page::new(DEFAULT_CHUNK_SIZE), picked(1, size)))
        .bench_local_values(|(mut page, files)| {
            page.add(files);
            page.send();
            page
        });
}
