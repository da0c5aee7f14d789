//! Symlinks, hard links and FIFOs that somebody planted in the data folder lead nowhere: nothing outside
//! is written, read or taken for ours, and nothing waits for the other end of a pipe.

use std::{
    fs,
    os::unix::fs::{FileTypeExt as _, MetadataExt as _, symlink},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use hoist_protocol::{ByteRange, ErrorCode, UploadId};
use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::{
    faults::HookedDisk,
    reboot,
    support::{Bench, NOW, chunk, file, sender},
};
use crate::{
    Durability, Finding, Inspector, StoreError,
    backend::Backend as _,
    disk::{DiskBackend, RealDisk},
};

const SECRET: &[u8] = b"secret";
/// As long, so that no length tells them apart.
const OURS: &[u8] = b"theirs";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    LinkToFile,
    LinkToFolder,
    HardLink,
    Fifo,
}

const KINDS: [Kind; 4] = [
    Kind::LinkToFile,
    Kind::LinkToFolder,
    Kind::HardLink,
    Kind::Fifo,
];

/// What lies outside the data folder, and is nobody's here.
struct Outside(tempfile::TempDir);

impl Outside {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("secret"), SECRET).unwrap();
        fs::create_dir(folder.path().join("inside")).unwrap();
        fs::write(folder.path().join("inside/a.txt"), SECRET).unwrap();
        Self(folder)
    }

    /// Puts something at a place, above which there may be no folder yet.
    fn plant(&self, kind: Kind, at: &Path) {
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        let (secret, inside) = (self.0.path().join("secret"), self.0.path().join("inside"));
        match kind {
            Kind::LinkToFile => symlink(secret, at).unwrap(),
            Kind::LinkToFolder => symlink(inside, at).unwrap(),
            Kind::HardLink => fs::hard_link(secret, at).unwrap(),
            Kind::Fifo => mknodat(CWD, at, FileType::Fifo, Mode::RWXU, 0).unwrap(),
        }
    }

    /// Whether it still lies there.
    fn is_planted(&self, kind: Kind, at: &Path) -> bool {
        let Ok(found) = fs::symlink_metadata(at) else {
            return false;
        };
        match kind {
            Kind::LinkToFile | Kind::LinkToFolder => found.is_symlink(),
            Kind::HardLink => {
                found.ino() == fs::metadata(self.0.path().join("secret")).unwrap().ino()
            }
            Kind::Fifo => found.file_type().is_fifo(),
        }
    }

    /// Nothing was written, made, moved or removed.
    fn check(&self) {
        let names = |folder: PathBuf| {
            let entries = fs::read_dir(folder).unwrap();
            let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        assert_eq!(names(self.0.path().into()), ["inside", "secret"]);
        assert_eq!(names(self.0.path().join("inside")), ["a.txt"]);
        for file in ["secret", "inside/a.txt"] {
            assert_eq!(fs::read(self.0.path().join(file)).unwrap(), SECRET);
        }
    }
}

/// Sends a file whole: by itself, or as one of a group.
async fn send(bench: &Bench, id: UploadId, alone: bool) -> Result<Option<String>, StoreError> {
    let sent = if alone {
        bench.send(id, OURS, 0).await
    } else {
        let (chunk, bytes) = chunk(id, OURS, 0);
        let chunks = vec![(chunk, Bytes::copy_from_slice(bytes))];
        let (store, page) = (&bench.store, sender("page"));
        let sent = store.write_small(NOW, &bench.party, &page, 0, chunks);
        sent.await.pop().unwrap()
    };
    Ok(sent?.receipt.map(|receipt| receipt.stored_as))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_published_beside_what_was_planted_in_its_place_or_in_that_of_its_folder() {
    for kind in KINDS {
        for alone in [true, false] {
            let (bench, outside) = (Bench::disk().await, Outside::new());
            let files = bench.folder.as_ref().unwrap().path().join("files");
            let planted = ["a.txt", "d", "e/deep"].map(|name| files.join(name));
            for place in &planted {
                outside.plant(kind, place);
            }
            for (name, stored_as) in [
                ("a.txt", "a (2).txt"),
                ("d/a.txt", "d (2)/a.txt"),
                ("e/deep/er/a.txt", "e/deep (2)/er/a.txt"),
            ] {
                let id = bench.needed(file(name, OURS.len() as u64)).await.id;
                let sent = send(&bench, id, alone).await.unwrap();
                assert_eq!(sent.as_deref(), Some(stored_as), "{kind:?}");
                assert_eq!(bench.content(id).await, OURS);
                assert_eq!(fs::read(files.join(stored_as)).unwrap(), OURS);
            }
            for place in &planted {
                assert!(outside.is_planted(kind, place), "{kind:?}: {place:?}");
            }
            outside.check();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_finished_file_that_is_swapped_is_not_read_through_a_link_and_verify_says_so() {
    for kind in KINDS {
        let (bench, outside) = (Bench::disk().await, Outside::new());
        let new = || file("d/a.txt", OURS.len() as u64);
        let id = bench.upload(new(), OURS).await.id;
        let root = bench.folder.as_ref().unwrap().path();
        fs::remove_file(root.join("files/d/a.txt")).unwrap();
        if kind == Kind::LinkToFolder {
            // Which has a file of this name.
            fs::remove_dir(root.join("files/d")).unwrap();
            outside.plant(kind, &root.join("files/d"));
        } else {
            outside.plant(kind, &root.join("files/d/a.txt"));
        }
        let mut findings = Vec::new();
        let inspector = Inspector::open(root).await.unwrap();
        let verified = inspector.verify(|finding| findings.push(finding)).await;
        assert_eq!(verified.unwrap().damaged, 1, "{kind:?}: {findings:?}");
        let place = "files/d/a.txt".to_owned();
        if kind == Kind::HardLink {
            // A file like any other that was changed by hand; whoever can make one can write ours.
            assert_eq!(findings, [Finding::Changed { place }]);
            continue;
        }
        assert!(
            findings.contains(&Finding::Missing { place }),
            "{findings:?}"
        );
        let read = bench.store.read(NOW, &bench.party, id).await;
        assert!(
            matches!(read, Err(StoreError::NotFound)),
            "{kind:?}: {read:?}"
        );
        // The same file again is no more there, and comes anew.
        let again = bench.needed(new()).await.id;
        assert_ne!(again, id);
        send(&bench, again, true).await.unwrap();
        assert_eq!(bench.content(again).await, OURS);
        outside.check();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_byte_is_written_through_what_was_planted_among_the_incoming() {
    for kind in KINDS {
        for end in ["", ".sums", ".ranges"] {
            for alone in [true, false] {
                let (folder, outside) = (Arc::new(tempfile::tempdir().unwrap()), Outside::new());
                let bench = reboot::boot(&folder, "first").await;
                let id = bench.needed(file("a.txt", OURS.len() as u64)).await.id;
                let mut place = reboot::incoming(&folder, id).into_os_string();
                place.push(end);
                let place = PathBuf::from(place);
                outside.plant(kind, &place);
                // A group has no side files; chunks have no ranges.
                let sent = match end {
                    ".ranges" => send_range(&bench, id).await,
                    ".sums" => send(&bench, id, true).await.map(drop),
                    _ => send(&bench, id, alone).await.map(drop),
                };
                let code = sent.unwrap_err().code();
                assert_eq!(code, ErrorCode::Internal, "{kind:?}{end}");
                outside.check();
                // Nor when it is looked at after the machine has died.
                drop(bench);
                let bench = reboot::boot(&folder, "second").await;
                let status = bench.status(id).await;
                bench.store.sweep(NOW).await.unwrap();
                outside.check();
                assert!(
                    outside.is_planted(kind, &place),
                    "{kind:?}{end}: {status:?}"
                );
                // It goes on when that is gone.
                fs::remove_file(&place).unwrap();
                send(&bench, id, alone).await.unwrap();
                assert_eq!(bench.content(id).await, OURS);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_are_swapped_when_all_have_come_are_neither_cut_nor_published() {
    for kind in KINDS {
        let (folder, outside) = (Arc::new(tempfile::tempdir().unwrap()), Outside::new());
        let is_stuck = Arc::new(AtomicBool::new(true));
        let stuck = Arc::clone(&is_stuck);
        let disk = HookedDisk::new(folder.path(), move |what, _| {
            if what == "rename" && stuck.load(Ordering::Relaxed) {
                return Err(std::io::Error::other("broken here"));
            }
            Ok(())
        });
        let bench = reboot::over(&folder, "first", Arc::new(disk)).await;
        // Shorter than what lies outside.
        let ours = &OURS[..4];
        let id = bench.needed(file("a.txt", ours.len() as u64)).await.id;
        bench.send(id, ours, 0).await.unwrap_err();
        is_stuck.store(false, Ordering::Relaxed);
        let place = reboot::incoming(&folder, id);
        let aside = folder.path().join("aside");
        fs::copy(&place, &aside).unwrap();
        fs::remove_file(&place).unwrap();
        outside.plant(kind, &place);
        let status = bench.status(id).await;
        outside.check();
        assert!(
            outside.is_planted(kind, &place),
            "{kind:?}: it is not published: {status:?}"
        );
        // It goes on when its bytes are there again.
        fs::remove_file(&place).unwrap();
        fs::copy(&aside, &place).unwrap();
        bench.status(id).await;
        assert_eq!(bench.content(id).await, ours);
    }
}

#[test]
fn what_is_published_gives_its_time_to_no_file_elsewhere() {
    let (folder, outside) = (tempfile::tempdir().unwrap(), Outside::new());
    let disk = Arc::new(RealDisk::open(folder.path()).unwrap());
    let backend = DiskBackend::new(disk, Durability::Process);
    let id = UploadId::from_bytes([7; 16]);
    outside.plant(Kind::HardLink, &reboot::incoming(&folder, id));
    let secret = outside.0.path().join("secret");
    let before = fs::metadata(&secret).unwrap().modified().unwrap();
    backend.own(id).unwrap_err();
    fs::create_dir(folder.path().join("files")).unwrap();
    // As where a process died between the two names of a file that it published.
    assert!(backend.publish(id, "files/a.txt", Some(1000)).unwrap());
    let after = fs::metadata(&secret).unwrap().modified().unwrap();
    assert_eq!(after, before);
    outside.check();
}

async fn send_range(bench: &Bench, id: UploadId) -> Result<(), StoreError> {
    let all = ByteRange::new(0, OURS.len() as u64);
    let mut writer = bench.store.write_part(NOW, &bench.party, id, all).await?;
    writer.write(NOW, Bytes::from_static(OURS)).await?;
    writer.finish(NOW).await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_planted_in_place_of_bytes_is_removed_with_them_and_stops_no_start() {
    for kind in KINDS {
        let (folder, outside) = (Arc::new(tempfile::tempdir().unwrap()), Outside::new());
        let incoming = folder.path().join("incoming");
        // As the bytes of uploads that are no more, as one of the folders, and as nothing that we know.
        let orphans = [
            "00/00112233445566778899aabbccddeeff",
            "00/00112233445566778899aabbccddee00.sums",
        ];
        let others = ["01", "what is this", "00/what is this"];
        for name in orphans.iter().chain(&others) {
            outside.plant(kind, &incoming.join(name));
        }
        let bench = reboot::boot(&folder, "first").await;
        let id = bench.needed(file("a.txt", OURS.len() as u64)).await.id;
        let place = reboot::incoming(&folder, id);
        if !place.starts_with(incoming.join("01")) {
            outside.plant(kind, &place);
        }
        bench.store.sweep(NOW).await.unwrap();
        for name in orphans {
            assert!(!outside.is_planted(kind, &incoming.join(name)), "{kind:?}");
        }
        for name in others {
            assert!(outside.is_planted(kind, &incoming.join(name)), "{kind:?}");
        }
        bench.store.delete(NOW, &bench.party, &[id]).await.unwrap();
        assert!(!outside.is_planted(kind, &place), "{kind:?}");
        outside.check();
    }
}
