//! A disk and a catalog that fail at some step: for good, or once.

use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
};

use hoist_protocol::{ListCounts, UploadId};
use rustix::io::Errno;

use crate::{
    Event, Owner, StoreError,
    catalog::{After, Answer, Catalog, Command, Mark, Outcome, Row, TokenRow, Usage},
    disk::{Disk, DiskFile, Open, RealDisk},
};

/// A disk that fails after so many steps: for good, as if the process had died there, or once, as if
/// there were no room for a moment. What changes nothing is a step only of the second: for who is dead
/// it is the same whether the last thing was a look.
#[derive(Debug)]
pub(super) struct DyingDisk {
    pub(super) real: RealDisk,
    pub(super) left: Arc<Fuse>,
}

#[derive(Debug)]
struct DyingFile(Arc<dyn DiskFile>, Arc<Fuse>);

#[derive(Debug)]
pub(super) struct Fuse {
    left: AtomicU64,
    once: Option<Errno>,
    gate: Option<Mutex<(Sender<()>, Receiver<()>)>>,
}

impl Fuse {
    pub(super) fn new(left: u64, once: Option<Errno>) -> Arc<Self> {
        Arc::new(Self {
            left: AtomicU64::new(left),
            once,
            gate: None,
        })
    }

    /// One that fails nothing, but says when it has come to the step that [`Fuse::hold_at`] names,
    /// and then waits until it is told, or nobody is left to tell it.
    pub(super) fn gate() -> (Arc<Self>, Receiver<()>, Sender<()>) {
        let ((say, said), (tell, told)) = (channel(), channel());
        let fuse = Self {
            left: AtomicU64::new(u64::MAX),
            once: None,
            gate: Some(Mutex::new((say, told))),
        };
        (Arc::new(fuse), said, tell)
    }

    pub(super) fn hold_at(&self, steps: u64) {
        self.left.store(steps, Ordering::SeqCst);
    }

    pub(super) fn has_blown(&self) -> bool {
        let left = self.left.load(Ordering::SeqCst);
        left == 0 || left > u64::MAX / 2
    }
}

/// Something that counts steps, and fails from some step on.
pub(super) trait Step: std::fmt::Debug + Send + Sync {
    /// Something changes.
    fn step(&self) -> io::Result<()>;
    /// Somebody looks.
    fn look(&self) -> io::Result<()> {
        Ok(())
    }
}

impl Step for Fuse {
    fn step(&self) -> io::Result<()> {
        step(self)
    }
    fn look(&self) -> io::Result<()> {
        look(self)
    }
}

fn look(fuse: &Fuse) -> io::Result<()> {
    if fuse.once.is_some() {
        return step(fuse);
    }
    Ok(())
}

fn step(fuse: &Fuse) -> io::Result<()> {
    let next = |left: u64| match (left, fuse.once) {
        (0, None) if fuse.gate.is_none() => None,
        // Wraps once, and then there is no end to it.
        (left, _) => Some(left.wrapping_sub(1)),
    };
    let before = fuse
        .left
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, next);
    if let (Ok(0), Some(gate)) = (before, &fuse.gate) {
        let gate = gate.lock().unwrap();
        let _ = gate.0.send(());
        let _ = gate.1.recv();
    }
    match (before, fuse.once) {
        (Err(_), _) => Err(io::Error::other("the process is dead")),
        (Ok(0), Some(errno)) => Err(errno.into()),
        (Ok(_), _) => Ok(()),
    }
}

impl Disk for DyingDisk {
    fn open(&self, path: &str, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        match how {
            Open::Create => step(&self.left)?,
            _ => look(&self.left)?,
        }
        Ok(Arc::new(DyingFile(
            self.real.open(path, how)?,
            Arc::clone(&self.left),
        )))
    }
    fn make_folder(&self, path: &str) -> io::Result<()> {
        step(&self.left)?;
        self.real.make_folder(path)
    }
    fn is_folder(&self, path: &str) -> io::Result<bool> {
        look(&self.left)?;
        self.real.is_folder(path)
    }
    fn rename_noreplace(&self, from: &str, to: &str) -> io::Result<()> {
        step(&self.left)?;
        self.real.rename_noreplace(from, to)
    }
    fn link(&self, from: &str, to: &str) -> io::Result<()> {
        step(&self.left)?;
        self.real.link(from, to)
    }
    fn remove(&self, path: &str) -> io::Result<()> {
        step(&self.left)?;
        self.real.remove(path)
    }
    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        look(&self.left)?;
        self.real.list(path)
    }
    fn sync_folder(&self, path: &str) -> io::Result<()> {
        step(&self.left)?;
        self.real.sync_folder(path)
    }
    fn sync_all(&self) -> io::Result<()> {
        step(&self.left)?;
        self.real.sync_all()
    }
    fn is_same(&self, one: &str, other: &str) -> io::Result<bool> {
        look(&self.left)?;
        self.real.is_same(one, other)
    }
    fn free(&self) -> io::Result<u64> {
        look(&self.left)?;
        self.real.free()
    }
}

impl DiskFile for DyingFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        if let Err(error) = step(&self.1) {
            // The last write is torn in the middle, unless it lies within one sector: a checksum of
            // 32 bytes at a multiple of 32 does, and no kernel and no disk splits that.
            if bytes.len() > 512 {
                let _ = self.0.write_at(offset, &bytes[..bytes.len() / 2]);
            }
            return Err(error);
        }
        self.0.write_at(offset, bytes)
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        look(&self.1)?;
        self.0.read_at(offset, buffer)
    }
    fn allocate(&self, offset: u64, length: u64) -> io::Result<()> {
        step(&self.1)?;
        self.0.allocate(offset, length)
    }
    fn len(&self) -> io::Result<u64> {
        look(&self.1)?;
        self.0.len()
    }
    fn truncate(&self, length: u64) -> io::Result<()> {
        step(&self.1)?;
        self.0.truncate(length)
    }
    fn sync(&self) -> io::Result<()> {
        step(&self.1)?;
        self.0.sync()
    }
    fn set_modified(&self, time: i64) -> io::Result<()> {
        step(&self.1)?;
        self.0.set_modified(time)
    }
}

/// The catalog of the same process: its changes are steps, too, and end with those of the disk.
#[derive(Debug)]
pub(super) struct DyingCatalog(pub(super) Arc<dyn Catalog>, pub(super) Arc<dyn Step>);

impl Catalog for DyingCatalog {
    fn apply(&self, command: Command) -> Answer<'_, Outcome> {
        match self.1.step() {
            Ok(()) => self.0.apply(command),
            Err(error) => refused(&error),
        }
    }
    fn apply_all(&self, commands: Vec<Command>) -> Answer<'_, Vec<Outcome>> {
        match self.1.step() {
            Ok(()) => self.0.apply_all(commands),
            Err(error) => refused(&error),
        }
    }
    fn get(&self, ids: Vec<UploadId>) -> Answer<'_, Vec<Row>> {
        match self.1.look() {
            Ok(()) => self.0.get(ids),
            Err(error) => unread(error),
        }
    }
    fn earlier(&self, row: Row) -> Answer<'_, Option<Row>> {
        match self.1.look() {
            Ok(()) => self.0.earlier(row),
            Err(error) => unread(error),
        }
    }
    fn list(&self, owner: Owner, after: Option<After>, limit: u32) -> Answer<'_, Vec<Row>> {
        match self.1.look() {
            Ok(()) => self.0.list(owner, after, limit),
            Err(error) => unread(error),
        }
    }
    fn counts(&self, owner: Owner) -> Answer<'_, ListCounts> {
        match self.1.look() {
            Ok(()) => self.0.counts(owner),
            Err(error) => unread(error),
        }
    }
    fn usage(&self, owner: Option<Owner>, since: u64) -> Answer<'_, Usage> {
        match self.1.look() {
            Ok(()) => self.0.usage(owner, since),
            Err(error) => unread(error),
        }
    }
    fn expired(&self, now: u64, skip: u32, limit: u32) -> Answer<'_, Vec<Row>> {
        match self.1.look() {
            Ok(()) => self.0.expired(now, skip, limit),
            Err(error) => unread(error),
        }
    }
    fn taken(&self, owner: Owner, but: UploadId, keys: Vec<String>) -> Answer<'_, Vec<String>> {
        match self.1.look() {
            Ok(()) => self.0.taken(owner, but, keys),
            Err(error) => unread(error),
        }
    }
    fn publishing(&self) -> Answer<'_, Vec<Row>> {
        match self.1.look() {
            Ok(()) => self.0.publishing(),
            Err(error) => unread(error),
        }
    }
    fn transactions(&self) -> u64 {
        self.0.transactions()
    }
    fn old_names(&self) -> Answer<'_, Vec<(UploadId, String)>> {
        match self.1.look() {
            Ok(()) => self.0.old_names(),
            Err(error) => unread(error),
        }
    }
    fn events(&self, subscriber: String, limit: u32) -> Answer<'_, Vec<Event>> {
        match self.1.look() {
            Ok(()) => self.0.events(subscriber, limit),
            Err(error) => unread(error),
        }
    }
    fn token(&self, hash: [u8; 32]) -> Answer<'_, Option<(TokenRow, Row)>> {
        match self.1.look() {
            Ok(()) => self.0.token(hash),
            Err(error) => unread(error),
        }
    }
    fn mark(&self) -> Answer<'_, Mark> {
        match self.1.look() {
            Ok(()) => self.0.mark(),
            Err(error) => unread(error),
        }
    }
    fn close(&self) -> Answer<'_, ()> {
        self.0.close()
    }
}

/// What the writer of the real one says.
fn refused<T: Send + 'static>(error: &io::Error) -> Answer<'static, T> {
    let error = match error.kind() {
        io::ErrorKind::StorageFull => StoreError::StorageFull,
        _ => StoreError::Unavailable,
    };
    Box::pin(std::future::ready(Err(error)))
}

/// What its readers say.
fn unread<T: Send + 'static>(error: io::Error) -> Answer<'static, T> {
    let error = StoreError::Catalog {
        doing: "reading",
        source: Box::new(error),
    };
    Box::pin(std::future::ready(Err(error)))
}
