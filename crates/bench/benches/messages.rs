//! Reading and writing what travels, as the server does (`serde_json`) and as a page does (its own reader).

use divan::{Bencher, black_box, counter::BytesCount};
use hoist_bench::inputs::{create, created, json, manifest};
use hoist_protocol::{CreateRequest, CreateResponse, PackManifest};

fn main() {
    divan::main();
}

#[divan::bench(args = [1000])]
fn manifest_read(bencher: Bencher<'_, '_>, chunks: u32) {
    let text = json(&manifest(chunks));
    bencher
        .counter(BytesCount::of_slice(&text))
        .bench_local(|| serde_json::from_slice::<PackManifest>(black_box(&text)));
}

#[divan::bench(args = [1000])]
fn manifest_write(bencher: Bencher<'_, '_>, chunks: u32) {
    let manifest = manifest(chunks);
    bencher
        .counter(BytesCount::of_slice(&json(&manifest)))
        .bench_local(|| json(black_box(&manifest)));
}

#[divan::bench(args = [1000])]
fn create_read(bencher: Bencher<'_, '_>, files: u32) {
    let text = json(&create(files, 10 << 10));
    bencher
        .counter(BytesCount::of_slice(&text))
        .bench_local(|| serde_json::from_slice::<CreateRequest>(black_box(&text)));
}

#[divan::bench(args = [1000])]
fn create_write(bencher: Bencher<'_, '_>, files: u32) {
    let create = create(files, 10 << 10);
    bencher
        .counter(BytesCount::of_slice(&json(&create)))
        .bench_local(|| json(black_box(&create)));
}

/// The answer to a create, in a page.
#[divan::bench(args = [1000])]
fn created_read_in_page(bencher: Bencher<'_, '_>, files: u32) {
    let text = json(&created(files));
    bencher
        .counter(BytesCount::of_slice(&text))
        .bench_local(|| hoist_leptos::json::from_slice::<CreateResponse>(black_box(&text)));
}

/// The same by `serde_json`, which a page does not carry.
#[divan::bench(args = [1000])]
fn created_read_by_serde_json(bencher: Bencher<'_, '_>, files: u32) {
    let text = json(&created(files));
    bencher
        .counter(BytesCount::of_slice(&text))
        .bench_local(|| serde_json::from_slice::<CreateResponse>(black_box(&text)));
}
