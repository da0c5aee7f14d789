//! A disk that keeps what was synced, and of the rest whatever a seed decides. It can also fail one
//! operation, as a kernel does: what a failed sync was to write is never written, though it can still be
//! read and the next sync succeeds.
//!
//! Writes that no sync has reached are lost, torn between sectors or kept, each by itself, so that
//! a later one may be there and an earlier one not. Names are lost or kept one change at a time; a
//! rename is one change, as journals have it. What lies below a folder whose own name was lost
//! cannot be reached.
//!
//! Over 500 lines, because bytes, names and faults are one state under one lock.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{Arc, Mutex, MutexGuard},
};

use rustix::io::Errno;

use crate::{
    disk::{Disk, DiskFile, Open},
    tests::dying::Step,
};

/// What a disk writes whole or not at all.
const SECTOR: usize = 512;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Node {
    Folder,
    File(usize),
}

#[derive(Clone, Debug)]
enum Change {
    Add(String, Node),
    Remove(String),
    Move(String, String, Node),
}

#[derive(Clone, Debug, Default)]
struct Inode {
    bytes: Vec<u8>,
    durable: Vec<u8>,
    /// What was written since, in order; a length of its own for a cut.
    writes: Vec<(usize, Vec<u8>)>,
    cut: Option<usize>,
    /// Sectors that a failed sync has left out, until they are written again.
    unwritten: BTreeSet<usize>,
}

#[derive(Debug, Default)]
struct State {
    inodes: Vec<Inode>,
    names: BTreeMap<String, Node>,
    durable: BTreeMap<String, Node>,
    changes: Vec<Change>,
    /// Steps until the machine dies.
    left: u64,
    taken: u64,
    /// The step that fails, and does nothing.
    fails: Option<u64>,
    /// Whether the next sync of bytes is that step.
    sync_fails: bool,
    seed: u64,
    /// Whether pieces are collected before they are written, as where a device is waited for.
    waits: bool,
}

/// Cheap to clone; all clones are one disk.
#[derive(Clone, Debug)]
pub(super) struct SimDisk(Arc<Mutex<State>>);

#[derive(Debug)]
struct SimFile(SimDisk, usize);

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// The next number of a seed (xorshift64*, Vigna 2016).
pub(super) fn random(seed: &mut u64) -> u64 {
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    seed.wrapping_mul(0x2545_F491_4F6C_DD1D)
}

fn chance(seed: &mut u64, of: u64) -> bool {
    (random(seed) >> 33).is_multiple_of(of)
}

fn put(bytes: &mut Vec<u8>, offset: usize, part: &[u8]) {
    if bytes.len() < offset + part.len() {
        bytes.resize(offset + part.len(), 0);
    }
    bytes[offset..offset + part.len()].copy_from_slice(part);
}

/// The sectors that so many bytes lie in.
fn sectors(offset: usize, length: usize) -> std::ops::Range<usize> {
    offset / SECTOR..(offset + length).div_ceil(SECTOR)
}

impl Inode {
    /// What is left of it after the machine has died.
    fn after_death(&self, seed: &mut u64) -> Vec<u8> {
        let mut left = self.durable.clone();
        for (offset, bytes) in &self.writes {
            let fate = random(seed) >> 62;
            let mut at = *offset;
            for sector in bytes.chunks(SECTOR) {
                // Lost, kept, or torn: some sectors of it.
                if fate == 1 || fate > 1 && chance(seed, 2) {
                    put(&mut left, at, sector);
                }
                at += sector.len();
            }
        }
        if let Some(cut) = self.cut
            && chance(seed, 2)
        {
            left.truncate(cut);
        }
        left
    }
}

impl Change {
    fn is_in(&self, folder: &str) -> bool {
        match self {
            Self::Add(path, _) | Self::Remove(path) => parent(path) == folder,
            Self::Move(from, to, _) => parent(from) == folder || parent(to) == folder,
        }
    }

    fn apply(self, names: &mut BTreeMap<String, Node>) {
        match self {
            Self::Add(path, node) => drop(names.insert(path, node)),
            Self::Remove(path) => drop(names.remove(&path)),
            Self::Move(from, to, node) => {
                names.remove(&from);
                names.insert(to, node);
            }
        }
    }
}

impl State {
    /// Does a change of names, in whose middle the machine may die.
    fn change(&mut self, change: Change) -> io::Result<()> {
        if self.fails_next() {
            return self.step();
        }
        if !self.is_dead() {
            change.clone().apply(&mut self.names);
            self.changes.push(change);
        }
        self.step()
    }

    fn is_dead(&self) -> bool {
        self.taken > self.left
    }

    fn fails_next(&self) -> bool {
        self.fails == Some(self.taken + 1)
    }

    /// Whether this sync of bytes fails.
    fn fails_to_sync(&mut self) -> bool {
        if std::mem::take(&mut self.sync_fails) {
            self.fails = Some(self.taken + 1);
        }
        self.fails_next()
    }

    /// One more step; the one after the last is the death of the machine.
    fn step(&mut self) -> io::Result<()> {
        self.taken += 1;
        if self.is_dead() {
            return Err(io::Error::other("the machine is dead"));
        }
        if self.fails == Some(self.taken) {
            return Err(Errno::IO.into());
        }
        Ok(())
    }

    fn file(&self, path: &str) -> io::Result<usize> {
        match self.names.get(path) {
            Some(Node::File(inode)) => Ok(*inode),
            Some(Node::Folder) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// The folder that is to hold a path must be one.
    fn check_parent(&self, path: &str) -> io::Result<()> {
        match parent(path) {
            "" => Ok(()),
            folder => match self.names.get(folder) {
                Some(Node::Folder) => Ok(()),
                Some(Node::File(_)) => Err(io::ErrorKind::NotADirectory.into()),
                None => Err(io::ErrorKind::NotFound.into()),
            },
        }
    }

    fn free_place(&self, path: &str) -> io::Result<()> {
        self.check_parent(path)?;
        if self.names.contains_key(path) {
            Err(io::ErrorKind::AlreadyExists.into())
        } else {
            Ok(())
        }
    }

    fn sync_folder(&mut self, folder: &str) {
        let (reached, other) = std::mem::take(&mut self.changes)
            .into_iter()
            .partition(|change| change.is_in(folder));
        self.changes = other;
        for change in reached {
            change.apply(&mut self.durable);
        }
    }

    fn sync_file(&mut self, inode: usize) {
        let inode = &mut self.inodes[inode];
        let before = std::mem::replace(&mut inode.durable, inode.bytes.clone());
        for sector in &inode.unwritten {
            let there = inode.durable.chunks_mut(SECTOR).nth(*sector);
            for (at, byte) in there.into_iter().flatten().enumerate() {
                *byte = before.get(sector * SECTOR + at).copied().unwrap_or(0);
            }
        }
        inode.writes.clear();
        inode.cut = None;
    }

    /// What was to be written counts as written, and is not.
    fn fail_to_sync_file(&mut self, inode: usize) {
        let inode = &mut self.inodes[inode];
        for (offset, bytes) in inode.writes.drain(..) {
            inode.unwritten.extend(sectors(offset, bytes.len()));
        }
    }
}

impl SimDisk {
    /// An empty disk whose machine dies after so many steps.
    pub(super) fn new(left: u64, seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            left,
            seed: seed | 1,
            waits: seed & 2 == 0,
            ..State::default()
        })))
    }

    /// The same, with each piece written as it comes.
    pub(super) fn at_once(self) -> Self {
        self.lock().waits = false;
        self
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(super) fn is_dead(&self) -> bool {
        self.lock().is_dead()
    }

    /// From here on: the step of this number fails, and those after it do not.
    pub(super) fn fail_at(&self, step: u64) {
        let mut state = self.lock();
        (state.fails, state.sync_fails) = (Some(step), false);
    }

    /// As [`Self::fail_at`], counted from here.
    pub(super) fn fail_in(&self, steps: u64) {
        let mut state = self.lock();
        state.fails = Some(state.taken + steps);
    }

    /// The next sync of bytes fails, whichever step that is.
    pub(super) fn fail_next_sync(&self) {
        self.lock().sync_fails = true;
    }

    /// Whether it has failed where it was told to.
    pub(super) fn has_failed(&self) -> bool {
        let state = self.lock();
        state.fails.is_some_and(|step| step <= state.taken)
    }

    /// What is there when the machine is up again, and dies after so many steps more.
    pub(super) fn after_death(&self, left: u64) -> Self {
        let mut state = self.lock();
        let mut seed = state.seed;
        let mut names = state.durable.clone();
        for change in std::mem::take(&mut state.changes) {
            if chance(&mut seed, 2) {
                change.apply(&mut names);
            }
        }
        let all = names.clone();
        names.retain(|path, _| {
            path.match_indices('/')
                .all(|(end, _)| all.get(&path[..end]) == Some(&Node::Folder))
        });
        let inodes = state.inodes.iter().map(|inode| {
            let bytes = inode.after_death(&mut seed);
            Inode {
                durable: bytes.clone(),
                bytes,
                ..Inode::default()
            }
        });
        Self(Arc::new(Mutex::new(State {
            inodes: inodes.collect(),
            durable: names.clone(),
            names,
            left,
            seed,
            waits: state.waits,
            ..State::default()
        })))
    }

    /// All files below a folder, with their bytes.
    pub(super) fn files(&self, below: &str) -> BTreeMap<String, Vec<u8>> {
        let state = self.lock();
        let mut files = BTreeMap::new();
        for (path, node) in &state.names {
            if let (Some(rest), Node::File(inode)) = (path.strip_prefix(below), node) {
                files.insert(rest.to_owned(), state.inodes[*inode].bytes.clone());
            }
        }
        files
    }
}

impl Step for SimDisk {
    fn step(&self) -> io::Result<()> {
        self.lock().step()
    }
}

impl Disk for SimDisk {
    fn open(&self, path: &str, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.lock();
        let inode = match state.file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && how == Open::Create => {
                state.check_parent(path)?;
                let inode = state.inodes.len();
                state.inodes.push(Inode::default());
                state.change(Change::Add(path.to_owned(), Node::File(inode)))?;
                inode
            }
            found => found?,
        };
        Ok(Arc::new(SimFile(self.clone(), inode)))
    }

    fn make_folder(&self, path: &str) -> io::Result<()> {
        let mut state = self.lock();
        state.free_place(path)?;
        state.change(Change::Add(path.to_owned(), Node::Folder))
    }

    fn is_folder(&self, path: &str) -> io::Result<bool> {
        Ok(self.lock().names.get(path) == Some(&Node::Folder))
    }

    fn rename_noreplace(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.lock();
        let node = Node::File(state.file(from)?);
        state.free_place(to)?;
        state.change(Change::Move(from.to_owned(), to.to_owned(), node))
    }

    fn link(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.lock();
        let node = Node::File(state.file(from)?);
        state.free_place(to)?;
        state.change(Change::Add(to.to_owned(), node))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let mut state = self.lock();
        if !state.names.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let below = format!("{path}/");
        if state.names.keys().any(|other| other.starts_with(&below)) {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        state.change(Change::Remove(path.to_owned()))
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        let state = self.lock();
        if state.names.get(path) != Some(&Node::Folder) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let names = state.names.keys().filter(|other| parent(other) == path);
        Ok(names
            .filter_map(|other| other.rsplit_once('/').map(|(_, name)| name.to_owned()))
            .collect())
    }

    fn sync_folder(&self, path: &str) -> io::Result<()> {
        let mut state = self.lock();
        state.step()?;
        state.sync_folder(path);
        Ok(())
    }

    fn sync_all(&self) -> io::Result<()> {
        let mut state = self.lock();
        let fails = state.fails_to_sync();
        for inode in (0..state.inodes.len()).filter(|_| fails) {
            state.fail_to_sync_file(inode);
        }
        state.step()?;
        for inode in 0..state.inodes.len() {
            state.sync_file(inode);
        }
        state.changes.clear();
        state.durable = state.names.clone();
        Ok(())
    }

    fn is_same(&self, one: &str, other: &str) -> io::Result<bool> {
        let state = self.lock();
        Ok(state.file(one)? == state.file(other)?)
    }

    fn free(&self) -> io::Result<u64> {
        Ok(1 << 40)
    }

    fn blocks(&self) -> bool {
        false
    }

    fn writes_wait(&self) -> bool {
        self.lock().waits
    }
}

impl DiskFile for SimFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.0.lock();
        if state.is_dead() {
            return state.step();
        }
        let offset = usize::try_from(offset).unwrap();
        let inode = &mut state.inodes[self.1];
        put(&mut inode.bytes, offset, bytes);
        for sector in sectors(offset, bytes.len()) {
            inode.unwritten.remove(&sector);
        }
        inode.writes.push((offset, bytes.to_vec()));
        state.step()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let state = self.0.lock();
        let offset = usize::try_from(offset).unwrap();
        let there = state.inodes[self.1].bytes.get(offset..).unwrap_or_default();
        let length = there.len().min(buffer.len());
        buffer[..length].copy_from_slice(&there[..length]);
        Ok(length)
    }

    fn allocate(&self, _offset: u64, _length: u64) -> io::Result<()> {
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().inodes[self.1].bytes.len() as u64)
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        let mut state = self.0.lock();
        state.step()?;
        let length = usize::try_from(length).unwrap();
        let inode = &mut state.inodes[self.1];
        inode.bytes.resize(length, 0);
        inode.cut = Some(length);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.0.lock();
        if state.fails_to_sync() {
            state.fail_to_sync_file(self.1);
        }
        state.step()?;
        state.sync_file(self.1);
        Ok(())
    }

    fn set_modified(&self, _time: i64) -> io::Result<()> {
        self.0.lock().step()
    }
}
