//! The operating system's files.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt as _,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{
        AtFlags, CWD, FallocateFlags, FileType, Mode, OFlags, RenameFlags, ResolveFlags, fallocate,
        fstat, fstatfs, fstatvfs, linkat, mkdirat, openat, openat2, renameat_with, statat,
        unlinkat,
    },
    io::Errno,
};

use super::{Disk, DiskFile, Open};

/// `f_type` of a file system in memory (`statfs(2)`).
const TMPFS: i64 = 0x0102_1994;

/// A folder of the operating system, held by its descriptor.
#[derive(Debug)]
pub(crate) struct RealDisk {
    root: OwnedFd,
    is_in_memory: bool,
}

impl RealDisk {
    /// Opens a folder that is there.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        let root = openat(
            CWD,
            folder,
            OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        // The type of f_type differs between systems; the constant fits all.
        #[allow(clippy::unnecessary_cast, clippy::cast_lossless)]
        let is_in_memory = fstatfs(&root)?.f_type as i64 == TMPFS;
        Ok(Self { root, is_in_memory })
    }

    /// Opens beneath the root and without following any symlink. One that was planted is neither a file
    /// nor a folder of ours: an error as for anything else that lies where a folder should.
    fn beneath(&self, path: &str, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
        match self.without_links(path, flags, mode) {
            Err(Errno::LOOP) => Err(Errno::NOTDIR.into()),
            opened => Ok(opened?),
        }
    }

    fn without_links(&self, path: &str, flags: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let resolve =
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let path = if path.is_empty() { "." } else { path };
        // EAGAIN: somebody renamed at the same time and the kernel could not be sure (openat2(2)).
        for _ in 0..16 {
            match openat2(&self.root, path, flags, mode, resolve) {
                Err(Errno::AGAIN) => {}
                Err(Errno::NOSYS | Errno::PERM) => return self.step_by_step(path, flags, mode),
                opened => return opened,
            }
        }
        self.step_by_step(path, flags, mode)
    }

    /// The same for kernels and sandboxes without `openat2`: one component at a time.
    fn step_by_step(&self, path: &str, flags: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
        let (parents, name) = path.rsplit_once('/').unwrap_or(("", path));
        let here = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
        let mut at = openat(&self.root, ".", here, Mode::empty())?;
        for component in parents.split('/').filter(|component| !component.is_empty()) {
            let folder = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            at = openat(&at, component, folder, Mode::empty())?;
        }
        openat(&at, name, flags, mode)
    }

    /// The folder that holds a path, and the path's last component.
    fn parent<'a>(&self, path: &'a str) -> io::Result<(OwnedFd, &'a str)> {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        Ok((
            self.beneath(parent, OFlags::DIRECTORY | OFlags::RDONLY, Mode::empty())?,
            name,
        ))
    }
}

impl Disk for RealDisk {
    fn open(&self, path: &str, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        // NONBLOCK: opening a planted FIFO must not wait for its other end.
        let flags = OFlags::NONBLOCK
            | match how {
                Open::Read => OFlags::RDONLY,
                Open::Own => OFlags::RDWR,
                Open::Create => OFlags::RDWR | OFlags::CREATE,
            };
        let mode = if how == Open::Create {
            Mode::from_raw_mode(0o644)
        } else {
            Mode::empty()
        };
        let file = self.beneath(path, flags, mode)?;
        let stat = fstat(&file)?;
        if !FileType::from_raw_mode(stat.st_mode).is_file() {
            let kind = io::ErrorKind::IsADirectory;
            return Err(io::Error::new(kind, "not a regular file"));
        }
        if matches!(how, Open::Own | Open::Create) && stat.st_nlink > 1 {
            // Who made a snapshot of hard links must find out here why uploads stand still. The path is
            // one of ours, of an id and of no name.
            tracing::warn!(
                path,
                names = stat.st_nlink,
                "a file is not written because it has other names: hard links that somebody planted, or a snapshot of them such as cp -al makes; it goes on when they are gone"
            );
            let kind = io::ErrorKind::TooManyLinks;
            return Err(io::Error::new(kind, "a file with a second name"));
        }
        Ok(Arc::new(RealFile {
            file: File::from(file),
            is_in_memory: self.is_in_memory,
        }))
    }

    fn make_folder(&self, path: &str) -> io::Result<()> {
        let (parent, name) = self.parent(path)?;
        Ok(mkdirat(parent, name, Mode::from_raw_mode(0o755))?)
    }

    fn is_folder(&self, path: &str) -> io::Result<bool> {
        match self.beneath(path, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()) {
            Ok(_) => Ok(true),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    fn rename_noreplace(&self, from: &str, to: &str) -> io::Result<()> {
        let (old_parent, old) = self.parent(from)?;
        let (new_parent, new) = self.parent(to)?;
        match renameat_with(&old_parent, old, &new_parent, new, RenameFlags::NOREPLACE) {
            // File systems without the flag: a link fails if the name is taken.
            Err(Errno::INVAL | Errno::NOSYS) => {
                match linkat(&old_parent, old, &new_parent, new, AtFlags::empty()) {
                    // Linked by a process that died before the unlink: it is this very file.
                    Err(Errno::EXIST) if is_same(&old_parent, old, &new_parent, new)? => {}
                    done => done?,
                }
                Ok(unlinkat(&old_parent, old, AtFlags::empty())?)
            }
            done => Ok(done?),
        }
    }

    fn link(&self, from: &str, to: &str) -> io::Result<()> {
        let (old_parent, old) = self.parent(from)?;
        let (new_parent, new) = self.parent(to)?;
        match linkat(&old_parent, old, &new_parent, new, AtFlags::empty()) {
            Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::MLINK) => {
                Err(io::ErrorKind::Unsupported.into())
            }
            done => Ok(done?),
        }
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let (parent, name) = self.parent(path)?;
        match unlinkat(&parent, name, AtFlags::empty()) {
            // Linux says EISDIR, POSIX EPERM.
            Err(Errno::ISDIR | Errno::PERM) => Ok(unlinkat(&parent, name, AtFlags::REMOVEDIR)?),
            done => Ok(done?),
        }
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        let folder = self.beneath(path, OFlags::DIRECTORY | OFlags::RDONLY, Mode::empty())?;
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(folder.as_fd())? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name != "." && name != ".." {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn sync_folder(&self, path: &str) -> io::Result<()> {
        let folder = self.beneath(path, OFlags::DIRECTORY | OFlags::RDONLY, Mode::empty())?;
        match rustix::fs::fsync(&folder) {
            Err(Errno::INVAL) => Err(io::ErrorKind::Unsupported.into()),
            done => Ok(done?),
        }
    }

    fn sync_all(&self) -> io::Result<()> {
        Ok(rustix::fs::syncfs(&self.root)?)
    }

    fn is_same(&self, one: &str, other: &str) -> io::Result<bool> {
        let (one_parent, one) = self.parent(one)?;
        let (other_parent, other) = self.parent(other)?;
        is_same(&one_parent, one, &other_parent, other)
    }

    fn writes_wait(&self) -> bool {
        !self.is_in_memory
    }

    fn free(&self) -> io::Result<u64> {
        let all = fstatvfs(&self.root)?;
        Ok(all.f_bavail.saturating_mul(all.f_frsize))
    }
}

/// Whether two names, not followed if they are symlinks, are one file.
fn is_same(old_parent: &OwnedFd, old: &str, new_parent: &OwnedFd, new: &str) -> io::Result<bool> {
    let old = statat(old_parent, old, AtFlags::SYMLINK_NOFOLLOW)?;
    let new = statat(new_parent, new, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok((old.st_dev, old.st_ino) == (new.st_dev, new.st_ino))
}

#[derive(Debug)]
struct RealFile {
    file: File,
    is_in_memory: bool,
}

impl DiskFile for RealFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn read_at(&self, mut offset: u64, mut buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len();
        while !buffer.is_empty() {
            match self.file.read_at(buffer, offset) {
                Ok(0) => break,
                Ok(length) => {
                    offset += length as u64;
                    buffer = buffer.get_mut(length..).unwrap_or_default();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(wanted - buffer.len())
    }

    fn allocate(&self, offset: u64, length: u64) -> io::Result<()> {
        // In memory it would cost at once what a sparse file never needs.
        if self.is_in_memory {
            return Ok(());
        }
        match fallocate(&self.file, FallocateFlags::KEEP_SIZE, offset, length) {
            // Only a full disk matters; elsewhere it is a wish.
            Err(error @ (Errno::NOSPC | Errno::DQUOT)) => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn begin_write_back(&self, offset: u64, length: u64) {
        // Bytes that were not written yet are not thrown away: Linux begins to write them
        // (mm/fadvise.c), as sync_file_range does, which needs unsafe code.
        #[cfg(target_os = "linux")]
        if !self.is_in_memory {
            let length = std::num::NonZeroU64::new(length);
            let _ = rustix::fs::fadvise(&self.file, offset, length, rustix::fs::Advice::DontNeed);
        }
        #[cfg(not(target_os = "linux"))]
        let _ = (offset, length);
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn set_modified(&self, time: i64) -> io::Result<()> {
        let span = Duration::from_millis(time.unsigned_abs());
        let at = if time >= 0 {
            SystemTime::UNIX_EPOCH.checked_add(span)
        } else {
            SystemTime::UNIX_EPOCH.checked_sub(span)
        };
        at.map_or(Ok(()), |at| self.file.set_modified(at))
    }
}
