//! The backend on a disk. The only place that renames, and never over a file.
//!
//! ```text
//! incoming/ab/ab…       bytes of an unfinished upload, each chunk where it belongs
//! incoming/ab/ab….sums  checksums of its acknowledged chunks, 32 bytes at index × 32
//! incoming/ab/ab….ranges  byte ranges of uploads that are not cut into chunks
//! files/…, visitors/…   finished files
//! ```

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use hoist_protocol::UploadId;

use super::{Disk, DiskFile, Open, layout};
use crate::{
    Durability,
    backend::{Backend, Incoming, Stored, Unsynced},
};

/// From so many files on, the whole file system is synced in one call: a thousand small files cost
/// no more than one.
const SYNC_ALL_FROM: usize = 16;

/// Bytes of an entry in a file of ranges: start and end.
const RANGE_BYTES: usize = 16;
const RANGE: u64 = RANGE_BYTES as u64;
/// Set in the start of a range that was recorded before its bytes were durable; no file is so long.
const UNSAFE: u64 = 1 << 63;

#[derive(Debug)]
pub(crate) struct DiskBackend {
    disk: Arc<dyn Disk>,
    /// Folders that were made here, and whose names are not durable yet; none if nobody makes them so.
    fresh: Mutex<BTreeSet<String>>,
    durability: Durability,
    failed_syncs: AtomicU64,
}

/// An error that means *not there*, for a place or one of the folders above it.
fn is_missing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

impl DiskBackend {
    pub(crate) fn new(disk: Arc<dyn Disk>, durability: Durability) -> Self {
        Self {
            disk,
            fresh: Mutex::default(),
            durability,
            failed_syncs: AtomicU64::new(0),
        }
    }

    fn fresh(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a folder that is known as not durable before anybody else can see it.
    fn make_fresh(&self, folder: &str) -> io::Result<()> {
        let mut fresh = self.fresh();
        let made = self.disk.make_folder(folder);
        if made.is_ok() && self.durability == Durability::Power {
            fresh.insert(folder.to_owned());
        }
        made
    }

    /// Makes the folders above a place; what is there already is fine if it is a folder.
    fn make_parents(&self, place: &str) -> io::Result<()> {
        let Some((parent, _)) = place.rsplit_once('/') else {
            return Ok(());
        };
        match self.make_fresh(parent) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if self.disk.is_folder(parent)? {
                    Ok(())
                } else {
                    Err(io::ErrorKind::NotADirectory.into())
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.make_parents(parent)?;
                match self.make_fresh(parent) {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
                    done => done,
                }
            }
            done => done,
        }
    }

    /// Counts a sync of bytes that failed: before anybody is told, and before the next one begins.
    fn synced(&self, done: io::Result<()>) -> io::Result<()> {
        if done.is_err() {
            self.failed_syncs.fetch_add(1, Ordering::SeqCst);
        }
        done
    }

    /// The names in a folder; none if there is no such folder, or something else lies there.
    fn names_in(&self, folder: &str) -> io::Result<Vec<String>> {
        match self.disk.list(folder) {
            Err(error) if is_missing(&error) => Ok(Vec::new()),
            listed => listed,
        }
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<bool> {
        match self.disk.rename_noreplace(from, to) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            done => done.map(|()| true),
        }
    }

    /// The bytes of an upload, if there are any.
    fn there(&self, id: UploadId, how: Open) -> io::Result<Option<Arc<dyn Incoming>>> {
        match self.disk.open(&layout::incoming(id), how) {
            Err(error) if is_missing(&error) => Ok(None),
            opened => opened.map(|bytes| Some(self.upload(id, bytes))),
        }
    }

    fn upload(&self, id: UploadId, bytes: Arc<dyn DiskFile>) -> Arc<dyn Incoming> {
        Arc::new(DiskIncoming {
            disk: Arc::clone(&self.disk),
            path: layout::incoming(id),
            bytes,
            sums: OnceLock::new(),
            ranges: OnceLock::new(),
        })
    }
}

impl Backend for DiskBackend {
    fn blocks(&self) -> bool {
        self.disk.blocks()
    }

    fn writes_wait(&self) -> bool {
        self.disk.writes_wait()
    }

    fn begin(&self, id: UploadId) -> io::Result<Arc<dyn Incoming>> {
        let path = layout::incoming(id);
        let bytes = match self.disk.open(&path, Open::Create) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.make_parents(&path)?;
                self.disk.open(&path, Open::Create)?
            }
            opened => opened?,
        };
        Ok(self.upload(id, bytes))
    }

    fn incoming(&self, id: UploadId) -> io::Result<Option<Arc<dyn Incoming>>> {
        self.there(id, Open::Read)
    }

    fn own(&self, id: UploadId) -> io::Result<Option<Arc<dyn Incoming>>> {
        self.there(id, Open::Own)
    }

    fn prepare(&self, place: &str) -> io::Result<Vec<Unsynced>> {
        self.make_parents(place)?;
        let fresh = self.fresh();
        let is_fresh = |(end, _): (usize, &str)| {
            place
                .get(..end)
                .is_some_and(|folder| fresh.contains(folder))
        };
        if place.match_indices('/').any(is_fresh) {
            Ok(self.names_at(place))
        } else {
            Ok(Vec::new())
        }
    }

    fn publish(&self, id: UploadId, place: &str, last_modified: Option<i64>) -> io::Result<bool> {
        let path = layout::incoming(id);
        if let Some(time) = last_modified {
            match self.disk.open(&path, Open::Own) {
                // Not another file's time: this one has a second name. It may be the very place, of a
                // process that died while it published.
                Err(error) if error.kind() == io::ErrorKind::TooManyLinks => {}
                // A time that the file system cannot hold is no reason to lose the file.
                opened => {
                    let _ = opened?.set_modified(time);
                }
            }
        }
        self.rename(&path, place)
    }

    fn make_folder(&self, place: &str) -> io::Result<bool> {
        match self.make_fresh(place) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.disk.is_folder(place)
            }
            done => done.map(|()| true),
        }
    }

    fn clear(&self, id: UploadId, all: bool) -> io::Result<()> {
        let path = layout::incoming(id);
        let bytes = all.then(|| path.clone());
        for path in bytes
            .into_iter()
            .chain([format!("{path}.sums"), format!("{path}.ranges")])
        {
            match self.disk.remove(&path) {
                Err(error) if !is_missing(&error) => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn open(&self, place: &str) -> io::Result<Option<Arc<dyn Stored>>> {
        match self.disk.open(place, Open::Read) {
            // A folder is no file, as if there were none.
            Err(error) if is_missing(&error) || error.kind() == io::ErrorKind::IsADirectory => {
                Ok(None)
            }
            opened => opened.map(|file| Some(Arc::new(DiskStored(file)) as Arc<dyn Stored>)),
        }
    }

    fn link(&self, from: &str, to: &str) -> io::Result<bool> {
        match self.disk.link(from, to) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Unsupported => self.rename(from, to),
            done => done.map(|()| true),
        }
    }

    fn remove(&self, place: &str) -> io::Result<()> {
        match self.disk.remove(place) {
            Err(error)
                if is_missing(&error) || error.kind() == io::ErrorKind::DirectoryNotEmpty =>
            {
                Ok(())
            }
            done => done,
        }
    }

    fn parts(&self) -> io::Result<Vec<String>> {
        self.names_in("incoming")
    }

    fn list(&self, part: &str) -> io::Result<Vec<UploadId>> {
        // Side files may be all that is left of one.
        let id = |name: &String| {
            let id = name.split_once('.').map_or(name.as_str(), |(id, _)| id);
            let id = id.parse::<UploadId>().ok()?;
            // Elsewhere nobody would look for it, nor remove it.
            layout::incoming(id)
                .starts_with(&format!("incoming/{part}/"))
                .then_some(id)
        };
        let names = self.names_in(&format!("incoming/{part}"))?;
        let mut found: Vec<_> = names.iter().filter_map(id).collect();
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    fn names_at(&self, place: &str) -> Vec<Unsynced> {
        let ends = place.match_indices('/').map(|(end, _)| end).rev();
        let mut folders: Vec<_> = ends
            .filter_map(|end| place.get(..end))
            .map(|folder| Unsynced::Folder(folder.to_owned()))
            .collect();
        folders.push(Unsynced::Folder(String::new()));
        folders
    }

    fn make_durable(&self, what: &[Unsynced]) -> io::Result<()> {
        // Each once, files before the folders that name them.
        let (mut files, mut folders) = (BTreeMap::new(), BTreeMap::new());
        for one in what {
            match one {
                Unsynced::File(path, file) => drop(files.insert(path.as_str(), file)),
                Unsynced::Folder(path) => drop(folders.insert(path.as_str(), ())),
            }
        }
        if files.len() >= SYNC_ALL_FROM || folders.len() >= SYNC_ALL_FROM {
            let before = self.fresh().clone();
            self.synced(self.disk.sync_all())?;
            self.fresh().retain(|folder| !before.contains(folder));
            return Ok(());
        }
        for file in files.values() {
            self.synced(file.sync())?;
        }
        for folder in folders.keys() {
            let is_in =
                |other: &String| other.rsplit_once('/').map_or("", |(parent, _)| parent) == *folder;
            let before: Vec<_> = self
                .fresh()
                .iter()
                .filter(|other| is_in(other))
                .cloned()
                .collect();
            match self.disk.sync_folder(folder) {
                // Removed meanwhile, and what was in it with it.
                Err(error) if is_missing(&error) => {}
                // File systems that sync no folders.
                Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                    self.synced(self.disk.sync_all())?;
                }
                done => done?,
            }
            self.fresh().retain(|other| !before.contains(other));
        }
        Ok(())
    }

    fn failed_syncs(&self) -> u64 {
        self.failed_syncs.load(Ordering::SeqCst)
    }

    fn sync(&self) -> io::Result<()> {
        self.synced(self.disk.sync_all())
    }

    fn is_same(&self, one: &str, other: &str) -> io::Result<bool> {
        match self.disk.is_same(one, other) {
            Err(error) if is_missing(&error) => Ok(false),
            done => done,
        }
    }

    fn free(&self) -> io::Result<u64> {
        self.disk.free()
    }
}

/// The two side files are opened when they are first needed: an upload of ranges has no checksums,
/// and one of chunks no ranges.
#[derive(Debug)]
struct DiskIncoming {
    disk: Arc<dyn Disk>,
    path: String,
    bytes: Arc<dyn DiskFile>,
    sums: OnceLock<Arc<dyn DiskFile>>,
    ranges: OnceLock<Arc<dyn DiskFile>>,
}

impl DiskIncoming {
    fn side(
        &self,
        cell: &OnceLock<Arc<dyn DiskFile>>,
        kind: &str,
        how: Open,
    ) -> io::Result<Option<Arc<dyn DiskFile>>> {
        if let Some(file) = cell.get() {
            return Ok(Some(Arc::clone(file)));
        }
        match self.disk.open(&format!("{}.{kind}", self.path), how) {
            Err(error) if is_missing(&error) && how != Open::Create => Ok(None),
            // Two that open it at once keep one; both are the same file.
            opened => opened.map(|file| Some(Arc::clone(cell.get_or_init(|| file)))),
        }
    }
}

impl Incoming for DiskIncoming {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.bytes.write_at(offset, bytes)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.bytes.read_at(offset, buffer)
    }

    fn allocate(&self, offset: u64, length: u64) -> io::Result<()> {
        self.bytes.allocate(offset, length)
    }

    fn begin_write_back(&self, offset: u64, length: u64) {
        self.bytes.begin_write_back(offset, length);
    }

    fn len(&self) -> io::Result<u64> {
        self.bytes.len()
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.bytes.truncate(length)
    }

    fn write_sum(&self, index: u32, sum: &[u8; 32]) -> io::Result<()> {
        let file = self
            .side(&self.sums, "sums", Open::Create)?
            .ok_or(io::ErrorKind::NotFound)?;
        file.write_at(u64::from(index) * 32, sum)
    }

    fn read_sums(&self, from: u32, buffer: &mut [u8]) -> io::Result<usize> {
        match self.side(&self.sums, "sums", Open::Own)? {
            Some(file) => file.read_at(u64::from(from) * 32, buffer),
            None => Ok(0),
        }
    }

    fn add_range(&self, start: u64, end: u64, durable: bool) -> io::Result<()> {
        let file = self
            .side(&self.ranges, "ranges", Open::Create)?
            .ok_or(io::ErrorKind::NotFound)?;
        // A torn entry at the end is overwritten: whole entries only.
        let at = file.len()? / RANGE * RANGE;
        let flag = if durable { 0 } else { UNSAFE };
        let entry = [(start | flag).to_be_bytes(), end.to_be_bytes()].concat();
        file.write_at(at, &entry)
    }

    fn drop_unsafe_ranges(&self) -> io::Result<()> {
        let Some(file) = self.side(&self.ranges, "ranges", Open::Own)? else {
            return Ok(());
        };
        for (at, (start, _)) in (0..).step_by(RANGE_BYTES).zip(entries(&*file)?) {
            if start & UNSAFE != 0 {
                file.write_at(at, &[0; RANGE_BYTES])?;
            }
        }
        Ok(())
    }

    fn unsynced(&self) -> Vec<Unsynced> {
        let side = |kind: &str, cell: &OnceLock<Arc<dyn DiskFile>>| {
            let file = cell.get()?;
            Some(Unsynced::File(
                format!("{}.{kind}", self.path),
                Arc::clone(file),
            ))
        };
        let bytes = Unsynced::File(self.path.clone(), Arc::clone(&self.bytes));
        let sides = [side("sums", &self.sums), side("ranges", &self.ranges)];
        // The folder is made with the first upload in it.
        let folders = ["incoming", ""].map(|folder| Unsynced::Folder(folder.to_owned()));
        let own = self.path.rsplit_once('/').map(|(folder, _)| folder);
        let own = own.map(|folder| Unsynced::Folder(folder.to_owned()));
        let folders = folders.into_iter().chain(own);
        sides
            .into_iter()
            .flatten()
            .chain([bytes])
            .chain(folders)
            .collect()
    }

    fn ranges(&self) -> io::Result<Vec<(u64, u64)>> {
        let Some(file) = self.side(&self.ranges, "ranges", Open::Own)? else {
            return Ok(Vec::new());
        };
        let entries = entries(&*file)?.into_iter();
        let ranges = entries.map(|(start, end)| (start & !UNSAFE, end));
        Ok(ranges.filter(|(start, end)| start < end).collect())
    }
}

/// The entries of a file of ranges, one after the other.
fn entries(file: &dyn DiskFile) -> io::Result<Vec<(u64, u64)>> {
    let mut bytes = vec![0; usize::try_from(file.len()?).map_err(io::Error::other)?];
    let length = file.read_at(0, &mut bytes)?;
    bytes.truncate(length);
    let number = |part: &[u8]| part.try_into().map_or(0, u64::from_be_bytes);
    Ok(bytes
        .chunks_exact(RANGE_BYTES)
        .map(|entry| {
            let (start, end) = entry.split_at(8);
            (number(start), number(end))
        })
        .collect())
}

#[derive(Debug)]
struct DiskStored(Arc<dyn DiskFile>);

impl Stored for DiskStored {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(offset, buffer)
    }

    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
}
