//! The store over SQLite and a real folder, in which a kill loses nothing (`process`): what a create, a question
//! and a publication cost beside what is there.
//!
//! `TMPDIR` says where: a disk, or memory.
#![expect(
    clippy::unwrap_used,
    reason = "a failure is the end of the measurement"
)]

use bytes::Bytes;
use divan::{Bencher, counter::ItemsCount};
use hoist_bench::inputs::{create, noise, sender};
use hoist_protocol::{CreateAnswer, Millis, NewFile, PackChunk};
use hoist_store::{Durability, ListQuery, Owner, Party, Store, StoreConfig};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

const NOW: Millis = Millis(1_700_000_000_000);
const SIZE: u32 = 10 << 10;

fn main() {
    divan::main();
}

/// A store in a folder that is gone at the end.
struct Bench {
    runtime: Runtime,
    party: Party,
    store: Store,
    /// How many lists of files there were.
    lists: u32,
    _folder: TempDir,
}

impl Bench {
    /// A store with so many thousand unfinished uploads.
    fn new(thousands: u32) -> Self {
        let folder = TempDir::new().unwrap();
        let runtime = Builder::new_multi_thread().enable_all().build().unwrap();
        let mut config = StoreConfig {
            durability: Durability::Process,
            keep_free: 0,
            ..StoreConfig::default()
        };
        config.limits.unfinished = u64::MAX;
        let open = Store::open(folder.path(), config, NOW);
        let store = runtime.block_on(open).unwrap();
        let mut bench = Self {
            runtime,
            party: Party::known(Owner::shared()),
            store,
            lists: 0,
            _folder: folder,
        };
        for _ in 0..thousands {
            let files = bench.files(1000);
            bench.create(&files);
        }
        bench
    }

    /// Files that were never named before.
    fn files(&mut self, count: u32) -> Vec<NewFile> {
        self.lists += 1;
        let mut files = create(count, u64::from(SIZE)).files;
        for file in &mut files {
            file.path = format!("list {}", self.lists);
        }
        files
    }

    fn create(&self, files: &[NewFile]) -> Vec<CreateAnswer> {
        // Later each time: a page of the list begins with the newest.
        let now = NOW.plus(u64::from(self.lists));
        let create = self.store.create(now, &self.party, files);
        self.runtime.block_on(create).unwrap()
    }

    /// Files that were created, each as the chunk that it is.
    fn chunks(&mut self, count: u32) -> Vec<(PackChunk, Bytes)> {
        let files = self.files(count);
        let bytes = Bytes::from(noise(SIZE as usize));
        let needed = self.create(&files).into_iter().map(|answer| match answer {
            CreateAnswer::Needed(needed) => needed.id,
            other => panic!("{other:?}"),
        });
        let chunk = |upload| PackChunk {
            upload,
            index: 0,
            length: u64::from(SIZE),
            checksum: None,
            last: false,
        };
        needed.map(|id| (chunk(id), bytes.clone())).collect()
    }

    fn publish(&self, chunks: Vec<(PackChunk, Bytes)>) {
        let sender = sender();
        let write = self.store.write_small(NOW, &self.party, &sender, 0, chunks);
        for answer in self.runtime.block_on(write) {
            assert!(answer.unwrap().receipt.is_some());
        }
    }
}

#[divan::bench(args = [1, 1000], sample_count = 30, sample_size = 1)]
fn create_new(bencher: Bencher<'_, '_>, files: u32) {
    let bench = std::cell::RefCell::new(Bench::new(10));
    bencher
        .counter(ItemsCount::new(files))
        .with_inputs(|| bench.borrow_mut().files(files))
        .bench_local_values(|files| bench.borrow().create(&files));
}

/// Files that were begun before: each is found by its path, size and time.
#[divan::bench(args = [1, 1000], sample_count = 30, sample_size = 1)]
fn create_again(bencher: Bencher<'_, '_>, count: u32) {
    let mut bench = Bench::new(10);
    let files = bench.files(count);
    bench.create(&files);
    bencher
        .counter(ItemsCount::new(count))
        .bench_local(|| bench.create(&files));
}

/// Files that are finished: *already there*.
#[divan::bench(args = [1000], sample_count = 30, sample_size = 1)]
fn create_of_what_is_there(bencher: Bencher<'_, '_>, count: u32) {
    let mut bench = Bench::new(10);
    let chunks = bench.chunks(count);
    bench.publish(chunks);
    let mut files = create(count, u64::from(SIZE)).files;
    for file in &mut files {
        file.path = format!("list {}", bench.lists);
    }
    let answers = bench.create(&files);
    assert!(matches!(answers[..], [CreateAnswer::Present { .. }, ..]));
    bencher
        .counter(ItemsCount::new(count))
        .bench_local(|| bench.create(&files));
}

/// The same without making anything: one file and a thousand, beside 100 000.
#[divan::bench(args = [1, 1000], sample_count = 30, sample_size = 1)]
fn find(bencher: Bencher<'_, '_>, count: u32) {
    let mut bench = Bench::new(100);
    let files = bench.files(count);
    bench.create(&files);
    bencher.counter(ItemsCount::new(count)).bench_local(|| {
        let find = bench.store.find(NOW, &bench.party, &files);
        bench.runtime.block_on(find).unwrap()
    });
}

/// The first page of a list of 100 000 uploads, and one in its middle.
#[divan::bench(args = [0, 50], sample_count = 30, sample_size = 1)]
fn page_of_list(bencher: Bencher<'_, '_>, thousands_before: u32) {
    let bench = Bench::new(100);
    let page = |after, limit| {
        let query = ListQuery {
            after,
            limit,
            finished_only: false,
        };
        let list = bench.store.list(NOW, &bench.party, &query);
        bench.runtime.block_on(list).unwrap()
    };
    let after = (0..thousands_before).fold(None, |after, _| page(after, 1000).next);
    bencher.bench_local(|| page(after.clone(), 50));
}

/// Small files whose bytes have come: written, verified, named and noted.
#[divan::bench(args = [1, 1000], sample_count = 30, sample_size = 1)]
fn publish(bencher: Bencher<'_, '_>, files: u32) {
    let bench = std::cell::RefCell::new(Bench::new(10));
    bencher
        .counter(ItemsCount::new(files))
        .with_inputs(|| bench.borrow_mut().chunks(files))
        .bench_local_values(|chunks| bench.borrow().publish(chunks));
}
