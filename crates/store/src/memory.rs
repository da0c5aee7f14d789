//! A backend in memory, for tests and the simulator: no threads, no files, the same answers.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use hoist_protocol::UploadId;

use crate::backend::{Backend, Incoming, Stored, Unsynced};

#[derive(Debug, Default)]
pub(crate) struct MemoryBackend {
    all: Mutex<All>,
}

#[derive(Debug, Default)]
struct All {
    incoming: BTreeMap<UploadId, Arc<Bytes>>,
    files: BTreeMap<String, Arc<Bytes>>,
    folders: BTreeSet<String>,
}

#[derive(Debug, Default)]
struct Bytes {
    bytes: Mutex<Vec<u8>>,
    sums: Mutex<Vec<u8>>,
    ranges: Mutex<Vec<(u64, u64)>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Memory is indexed by `usize`; a file beyond it does not fit.
fn place(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(|_| io::ErrorKind::StorageFull.into())
}

fn write(target: &Mutex<Vec<u8>>, offset: u64, bytes: &[u8]) -> io::Result<()> {
    let start = place(offset)?;
    let mut target = lock(target);
    if target.len() < start + bytes.len() {
        target.resize(start + bytes.len(), 0);
    }
    if let Some(part) = target.get_mut(start..start + bytes.len()) {
        part.copy_from_slice(bytes);
    }
    Ok(())
}

fn read(source: &Mutex<Vec<u8>>, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let source = lock(source);
    let part = source.get(place(offset)?..).unwrap_or_default();
    let length = part.len().min(buffer.len());
    if let (Some(to), Some(from)) = (buffer.get_mut(..length), part.get(..length)) {
        to.copy_from_slice(from);
    }
    Ok(length)
}

impl Incoming for Bytes {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        write(&self.bytes, offset, bytes)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        read(&self.bytes, offset, buffer)
    }

    fn allocate(&self, _offset: u64, _length: u64) -> io::Result<()> {
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(lock(&self.bytes).len() as u64)
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        lock(&self.bytes).truncate(place(length)?);
        Ok(())
    }

    fn write_sum(&self, index: u32, sum: &[u8; 32]) -> io::Result<()> {
        write(&self.sums, u64::from(index) * 32, sum)
    }

    fn read_sums(&self, from: u32, buffer: &mut [u8]) -> io::Result<usize> {
        read(&self.sums, u64::from(from) * 32, buffer)
    }

    fn add_range(&self, start: u64, end: u64, _durable: bool) -> io::Result<()> {
        lock(&self.ranges).push((start, end));
        Ok(())
    }

    fn drop_unsafe_ranges(&self) -> io::Result<()> {
        Ok(())
    }

    fn ranges(&self) -> io::Result<Vec<(u64, u64)>> {
        Ok(lock(&self.ranges).clone())
    }

    fn unsynced(&self) -> Vec<Unsynced> {
        Vec::new()
    }
}

impl Stored for Bytes {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        read(&self.bytes, offset, buffer)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(lock(&self.bytes).len() as u64)
    }
}

impl All {
    /// Makes the folders above a place, as a file system would; an error if a file is one of them.
    fn make_parents(&mut self, place: &str) -> io::Result<()> {
        for (end, _) in place.match_indices('/') {
            let folder = place.get(..end).unwrap_or_default();
            if self.files.contains_key(folder) {
                return Err(io::ErrorKind::NotADirectory.into());
            }
            self.folders.insert(folder.to_owned());
        }
        Ok(())
    }

    fn is_taken(&self, place: &str) -> bool {
        self.files.contains_key(place) || self.folders.contains(place)
    }
}

impl Backend for MemoryBackend {
    fn blocks(&self) -> bool {
        false
    }

    fn begin(&self, id: UploadId) -> io::Result<Arc<dyn Incoming>> {
        let bytes: Arc<Bytes> = Arc::clone(lock(&self.all).incoming.entry(id).or_default());
        Ok(bytes)
    }

    fn incoming(&self, id: UploadId) -> io::Result<Option<Arc<dyn Incoming>>> {
        Ok(lock(&self.all)
            .incoming
            .get(&id)
            .map(|bytes| Arc::clone(bytes) as Arc<dyn Incoming>))
    }

    fn own(&self, id: UploadId) -> io::Result<Option<Arc<dyn Incoming>>> {
        self.incoming(id)
    }

    fn prepare(&self, place: &str) -> io::Result<Vec<Unsynced>> {
        lock(&self.all).make_parents(place)?;
        Ok(Vec::new())
    }

    fn publish(&self, id: UploadId, place: &str, _last_modified: Option<i64>) -> io::Result<bool> {
        let mut all = lock(&self.all);
        if all.is_taken(place) {
            return Ok(false);
        }
        let bytes = all.incoming.remove(&id).ok_or(io::ErrorKind::NotFound)?;
        all.files.insert(place.to_owned(), bytes);
        Ok(true)
    }

    fn make_folder(&self, place: &str) -> io::Result<bool> {
        let mut all = lock(&self.all);
        Ok(!all.files.contains_key(place) && {
            all.folders.insert(place.to_owned());
            true
        })
    }

    fn clear(&self, id: UploadId, all: bool) -> io::Result<()> {
        if all {
            lock(&self.all).incoming.remove(&id);
        }
        Ok(())
    }

    fn open(&self, place: &str) -> io::Result<Option<Arc<dyn Stored>>> {
        Ok(lock(&self.all)
            .files
            .get(place)
            .map(|bytes| Arc::clone(bytes) as Arc<dyn Stored>))
    }

    fn link(&self, from: &str, to: &str) -> io::Result<bool> {
        let mut all = lock(&self.all);
        if all.is_taken(to) {
            return Ok(false);
        }
        let bytes = all.files.get(from).ok_or(io::ErrorKind::NotFound)?;
        let bytes = Arc::clone(bytes);
        all.files.insert(to.to_owned(), bytes);
        Ok(true)
    }

    fn remove(&self, place: &str) -> io::Result<()> {
        let mut all = lock(&self.all);
        if all.files.remove(place).is_none() {
            let inside = format!("{place}/");
            if !all
                .files
                .keys()
                .chain(&all.folders)
                .any(|other| other.starts_with(&inside))
            {
                all.folders.remove(place);
            }
        }
        Ok(())
    }

    fn parts(&self) -> io::Result<Vec<String>> {
        Ok(vec![String::new()])
    }

    fn list(&self, _part: &str) -> io::Result<Vec<UploadId>> {
        Ok(lock(&self.all).incoming.keys().copied().collect())
    }

    fn names_at(&self, _place: &str) -> Vec<Unsynced> {
        Vec::new()
    }

    fn make_durable(&self, _what: &[Unsynced]) -> io::Result<()> {
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn is_same(&self, one: &str, other: &str) -> io::Result<bool> {
        let all = lock(&self.all);
        let both = all.files.get(one).zip(all.files.get(other));
        Ok(both.is_some_and(|(one, other)| Arc::ptr_eq(one, other)))
    }

    fn free(&self) -> io::Result<u64> {
        Ok(1 << 50)
    }
}
