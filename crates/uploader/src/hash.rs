//! Reading chunks and taking their checksums, in pieces so small that the page never hangs.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::{Rc, Weak},
};

use gloo_file::{Blob, File};
use hoist_engine::{Event, FileKey};
use hoist_protocol::{ByteRange, Checksum, ChunkHasher, ChunkLayout};
use js_sys::{Promise, Uint8Array};
use wasm_bindgen::{JsCast, prelude::wasm_bindgen};
use wasm_bindgen_futures::JsFuture;

use crate::{browser, driver::Driver};

#[wasm_bindgen(module = "/js/bytes.js")]
extern "C" {
    /// The bytes of a range as an `Uint8Array`, or `undefined`. Never fails.
    #[wasm_bindgen(js_name = read)]
    fn read_range(file: &web_sys::Blob, start: f64, end: f64, how: u8) -> Promise;
    /// Whether pieces of large files are sent from the memory that they were read into.
    #[wasm_bindgen(js_name = keepsPieces)]
    pub(crate) fn keeps_pieces() -> bool;
    /// Lets go of what is open of a file.
    pub(crate) fn release(file: &web_sys::Blob);
}

#[wasm_bindgen(module = "/js/memory.js")]
extern "C" {
    /// Lets the next reading use the memory of this one.
    #[wasm_bindgen(js_name = giveBack)]
    fn give_back(bytes: &Uint8Array);
}

/// Bytes read at one time: enough that the disk is never idle, and that small files are read many
/// at once.
const READING: u64 = 4 << 20;
/// Hashed at once; about a millisecond.
const PIECE: u32 = 1 << 20;
/// After this long the page gets its turn.
const TURN_MS: f64 = 12.0;
/// Files up to this size are sent from the buffer that was hashed, in either body mode: a folder
/// of small files is then read once and not twice.
const SMALL: u64 = 256 << 10;

/// Files larger than this are never sent whole (`EngineConfig::whole_files`): a server's packs are no larger
/// unless it was told, and then they are sent from memory, too.
const LARGE: u64 = 32 << 20;

/// All of a small file, with others.
const ALL: u8 = 1;
/// A range by itself.
pub(crate) const ALONE: u8 = 2;

/// A chunk to be read.
#[derive(Clone, Copy)]
struct Job {
    key: FileKey,
    index: u32,
    layout: ChunkLayout,
    keep: bool,
    serial: u64,
}

impl Job {
    /// What it takes of [`READING`]: no more than half, or nothing would be read while a large chunk is hashed.
    fn weight(&self) -> u64 {
        let size = self.layout.range(self.index).map_or(0, ByteRange::len);
        size.min(READING / 2)
    }

    /// How it is read, as `js/bytes.js` has it. A small file in several chunks is read by ranges: all of it is
    /// no chunk.
    fn how(&self) -> u8 {
        u8::from(self.layout.count() == 1 && self.layout.file_size() <= SMALL)
    }
}

/// What is known of one chunk.
struct Slot {
    place: (FileKey, u32),
    /// The job that is wanted; another one's result is dropped.
    serial: u64,
    /// What was read, until it is sent.
    bytes: Option<Uint8Array>,
}

/// Reads chunks, a few at a time, and keeps the bytes that are sent soon.
#[derive(Default)]
pub(crate) struct Reader {
    queue: RefCell<VecDeque<Job>>,
    /// Sorted by place: new ones come at the end, the chunks of a file are neighbours. A map would
    /// be no faster here and weighs eight kilobytes of wasm.
    slots: RefCell<Vec<Slot>>,
    /// Bytes that are being read.
    running: Cell<u64>,
    serial: Cell<u64>,
    /// Where a piece is copied to be hashed; one for all, so that wasm memory does not grow.
    scratch: RefCell<Vec<u8>>,
    /// When the page last had its turn. Not for each chunk by itself: what the browser has read ahead is hashed chunk
    /// after chunk in one task.
    turn: Cell<f64>,
}

impl Reader {
    pub(crate) fn push(&self, key: FileKey, index: u32, layout: ChunkLayout, keep: bool) {
        let serial = self.serial.get() + 1;
        self.serial.set(serial);
        let place = (key, index);
        let mut slots = self.slots.borrow_mut();
        let at = slots.partition_point(|slot| slot.place < place);
        match slots.get_mut(at).filter(|slot| slot.place == place) {
            Some(slot) => slot.serial = serial,
            None => slots.insert(
                at,
                Slot {
                    place,
                    serial,
                    bytes: None,
                },
            ),
        }
        drop(slots);
        self.queue.borrow_mut().push_back(Job {
            key,
            index,
            layout,
            keep,
            serial,
        });
    }

    /// Begins reads while there is room for them.
    pub(crate) fn pump(&self, driver: &Rc<Driver>) {
        while self.running.get() < READING {
            let job = self.queue.borrow_mut().pop_front();
            let Some(job) = job else { return };
            if !self.is_wanted(&job) {
                continue;
            }
            self.running.set(self.running.get() + job.weight());
            let file = driver.file(job.key);
            browser::spawn(run(Rc::downgrade(driver), file, job));
        }
    }

    /// Lets go of bytes and of reads that were asked for.
    pub(crate) fn forget(&self, key: FileKey, index: Option<u32>) {
        let (first, last) = index.map_or((0, u32::MAX), |index| (index, index));
        let mut slots = self.slots.borrow_mut();
        let start = slots.partition_point(|slot| slot.place < (key, first));
        let end = slots.partition_point(|slot| slot.place <= (key, last));
        slots.drain(start..end.max(start));
    }

    /// Takes the bytes that were kept for a chunk.
    pub(crate) fn take(&self, key: FileKey, index: u32) -> Option<Uint8Array> {
        let mut slots = self.slots.borrow_mut();
        let at = slots
            .binary_search_by_key(&(key, index), |slot| slot.place)
            .ok()?;
        let is_read = slots.get(at).is_some_and(|slot| slot.bytes.is_some());
        is_read.then(|| slots.remove(at).bytes).flatten()
    }

    fn is_wanted(&self, job: &Job) -> bool {
        let slots = self.slots.borrow();
        slots
            .binary_search_by_key(&(job.key, job.index), |slot| slot.place)
            .ok()
            .and_then(|at| slots.get(at))
            .is_some_and(|slot| slot.serial == job.serial && slot.bytes.is_none())
    }

    /// Keeps what was read, or forgets that it was wanted.
    fn settle(&self, job: &Job, bytes: Option<Uint8Array>) {
        let mut slots = self.slots.borrow_mut();
        let Ok(at) = slots.binary_search_by_key(&(job.key, job.index), |slot| slot.place) else {
            return;
        };
        if bytes.is_none() {
            slots.remove(at);
        } else if let Some(slot) = slots.get_mut(at) {
            slot.bytes = bytes;
        }
    }

    /// Copies one piece into wasm and hashes it.
    fn hash_piece(&self, hasher: &mut ChunkHasher, piece: &Uint8Array) -> Option<()> {
        let mut scratch = self.scratch.borrow_mut();
        let length = usize::try_from(piece.length()).ok()?;
        if scratch.len() < length {
            scratch.resize(length, 0);
        }
        let into = scratch.get_mut(..length)?;
        piece.copy_to(into);
        hasher.update(into).ok()
    }
}

async fn run(driver: Weak<Driver>, file: Option<File>, job: Job) {
    let hashed = match file {
        Some(file) => hash(&driver, &file, &job).await,
        None => None,
    };
    let Some(driver) = driver.upgrade() else {
        return;
    };
    let reader = &driver.reader;
    let left = reader.running.get().saturating_sub(job.weight());
    reader.running.set(left);
    let (checksum, bytes) = hashed.unzip();
    let is_small = job.how() == ALL;
    let is_sent_from_memory =
        is_small || driver.sends_buffers() || job.layout.file_size() > LARGE && driver.keeps_pieces;
    let is_kept = reader.is_wanted(&job) && job.keep && is_sent_from_memory;
    if let Some(bytes) = bytes.as_ref().filter(|_| !is_kept && !is_small) {
        give_back(bytes);
    }
    if reader.is_wanted(&job) {
        reader.settle(&job, bytes.filter(|_| is_kept));
        driver.feed(Event::Hashed {
            key: job.key,
            index: job.index,
            checksum,
        });
    }
    reader.pump(&driver);
}

async fn hash(driver: &Weak<Driver>, file: &File, job: &Job) -> Option<(Checksum, Uint8Array)> {
    let range = job.layout.range(job.index)?;
    let bytes = read(file, range, job.how()).await?;
    let mut hasher = ChunkHasher::new(job.layout, job.index).ok()?;
    let mut at = 0;
    while at < bytes.length() {
        let end = at.saturating_add(PIECE).min(bytes.length());
        // Small files come in tasks of their own, a millisecond's worth in each.
        let last = driver.upgrade()?.reader.turn.get();
        if job.how() != ALL && browser::now_ms() - last > TURN_MS {
            browser::sleep(0).await;
            driver.upgrade()?.reader.turn.set(browser::now_ms());
        }
        driver
            .upgrade()?
            .reader
            .hash_piece(&mut hasher, &bytes.subarray(at, end))?;
        at = end;
    }
    // Fails if the file has become shorter.
    Some((hasher.finish().ok()?, bytes))
}

/// Reads bytes of a file into JavaScript's memory, not into wasm's.
pub(crate) async fn read(file: &File, range: ByteRange, how: u8) -> Option<Uint8Array> {
    let blob: &Blob = file;
    #[expect(
        clippy::cast_precision_loss,
        reason = "a browser's files are smaller than 2^53"
    )]
    let bytes = read_range(blob.as_ref(), range.start as f64, range.end as f64, how);
    JsFuture::from(bytes).await.ok()?.dyn_into().ok()
}

/// Whether a byte of the file can be read; `None` if not, else whether the file is what it was.
///
/// A browser keeps size and time of the moment when the file was picked and refuses to read it
/// once they differ from the disk's, so being readable is being unchanged.
pub(crate) async fn probe(file: &File) -> Option<bool> {
    let blob: &Blob = file;
    let size = blob.size();
    let bytes = read(file, ByteRange::new(0, size.min(1)), ALONE).await?;
    Some(u64::from(bytes.length()) == size.min(1))
}
