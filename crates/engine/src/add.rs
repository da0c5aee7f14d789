//! Files come in: picked by the person, or listed by the server.

use std::{
    collections::HashMap,
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    sync::Arc,
};

use hoist_protocol::{Kind, Receipt, Unfinished, UploadStatus};

use crate::{
    Engine, FileKey, Notice, Picked,
    file::{File, Stage, Then},
    restrict::{self, Refusal},
};

type ByHash<V> = HashMap<u64, V, BuildHasherDefault<DefaultHasher>>;

/// Finds the row of a file that is added again: by path, name, size and time.
///
/// Equal hashes of unequal files only mean that one of them is not found here; the server compares
/// the names themselves.
#[derive(Debug, Default)]
pub(crate) struct Identities {
    hasher: BuildHasherDefault<DefaultHasher>,
    all: ByHash<FileKey>,
    /// Rows that need their file, without the path: a file that is picked alone has none.
    alone: ByHash<Vec<FileKey>>,
    folder: Option<Arc<str>>,
    media_type: Option<Arc<str>>,
}

impl Identities {
    fn whole(&self, file: &File) -> u64 {
        self.hasher.hash_one((
            &file.folder,
            &file.name,
            file.size,
            file.last_modified,
            file.is_directory,
        ))
    }

    fn without_path(&self, file: &File) -> u64 {
        self.hasher
            .hash_one((&file.name, file.size, file.last_modified))
    }

    /// Ten thousand files of one folder share its name.
    fn share(last: &mut Option<Arc<str>>, text: &str) -> Arc<str> {
        match last {
            Some(shared) if shared.as_ref() == text => Arc::clone(shared),
            _ => Arc::clone(last.insert(Arc::from(text))),
        }
    }

    fn file(&mut self, picked: &Picked) -> File {
        let folder = Self::share(&mut self.folder, &picked.path);
        let media_type = picked
            .media_type
            .as_deref()
            .map(|media_type| Self::share(&mut self.media_type, media_type));
        File::picked(picked, folder, media_type)
    }

    /// Forgets a row.
    pub(crate) fn remove(&mut self, key: FileKey, file: &File) {
        let whole = self.whole(file);
        if self.all.get(&whole) == Some(&key) {
            self.all.remove(&whole);
        }
        let alone = self.without_path(file);
        if let Some(keys) = self.alone.get_mut(&alone) {
            keys.retain(|&other| other != key);
            if keys.is_empty() {
                self.alone.remove(&alone);
            }
        }
    }
}

fn is_same(a: &File, b: &File) -> bool {
    a.name == b.name && a.size == b.size && a.last_modified == b.last_modified
}

impl Engine {
    pub(crate) fn add(&mut self, key: FileKey, picked: &Picked) {
        if usize::try_from(key.0) != Ok(self.snapshot.files.len()) {
            return;
        }
        let mut file = self.identities.file(picked);
        let earlier = self.earlier(&file);
        if let Some(of) = earlier
            && self.file(of).is_some_and(File::is_under_way)
        {
            self.snapshot.push(key, File::default());
            self.notify(Notice::Duplicate { key, of });
            return;
        }
        if let Err(Refusal { words, may_pass }) = self.judge(picked, earlier) {
            // A row of the same file keeps its place, unless it was refused for the same reason.
            let old = earlier.filter(|&old| self.file(old).is_some_and(|old| old.is_not_taken));
            if let Some(old) = old {
                self.replace(old, key, &mut file);
            }
            if old == earlier {
                let whole = self.identities.whole(&file);
                self.identities.all.insert(whole, key);
            }
            file.is_not_taken = true;
            file.may_be_taken = may_pass;
            file.stage = Stage::Failed(Box::new((None, words.clone())));
            self.snapshot.push(key, file);
            self.notify(Notice::RestrictionFailed { key, words });
            return;
        }
        if let Some(old) = earlier {
            self.replace(old, key, &mut file);
        }
        let whole = self.identities.whole(&file);
        self.identities.all.insert(whole, key);
        let starts_over = matches!(file.stage, Stage::Telling(_));
        let upload = file.upload;
        self.snapshot.push(key, file);
        self.notify(Notice::FileAdded(key));
        if starts_over {
            if let Some(id) = upload {
                self.uploads.insert(id, key);
            }
            self.queue.to_delete.insert(key);
        } else {
            self.wake(key);
        }
    }

    /// Whether a file may be added (again); `counted` is a row that it replaces.
    pub(crate) fn judge(&self, picked: &Picked, counted: Option<FileKey>) -> Result<(), Refusal> {
        let mut totals = self.snapshot.totals;
        if let Some(old) = counted.and_then(|old| self.file(old))
            && old.is_counted()
        {
            totals.files = totals.files.saturating_sub(1);
            totals.bytes = totals.bytes.saturating_sub(old.size);
        }
        restrict::check(
            picked,
            &self.config.restrictions,
            &self.accept,
            &self.limits,
            &totals,
        )
    }

    /// The row that stands for the same file already.
    fn earlier(&self, file: &File) -> Option<FileKey> {
        let whole = self.identities.all.get(&self.identities.whole(file));
        let found = whole
            .copied()
            .filter(|&old| {
                self.file(old)
                    .is_some_and(|old| is_same(old, file) && old.folder == file.folder)
            })
            .or_else(|| {
                // Picked alone: its folder is not known, so its name, size and time must be unique.
                let alone = self.identities.without_path(file);
                match self.identities.alone.get(&alone).map(Vec::as_slice) {
                    Some(&[only]) if file.folder.is_empty() && !file.is_directory => Some(only),
                    _ => None,
                }
                .filter(|&old| self.file(old).is_some_and(|old| is_same(old, file)))
            })?;
        let old = self.file(found)?;
        // One that is being cancelled or deleted goes its way; the new one is another.
        (!matches!(
            old.stage,
            Stage::Hidden | Stage::Telling(_) | Stage::Deleting(_)
        ) && !old.is_unwanted)
            .then_some(found)
    }

    /// A settled row gives way to a new one of the same file.
    fn replace(&mut self, old: FileKey, new: FileKey, file: &mut File) {
        let Some(upload) = self.file(old).map(|old| {
            (matches!(old.stage, Stage::FileChanged) || old.is_spoilt)
                .then_some(old.upload)
                .flatten()
        }) else {
            return;
        };
        if upload.is_some() {
            // What the server has of it is of another file: it goes first.
            file.upload = upload;
            file.stage = Stage::Telling(Then::StartOver);
        }
        self.hide(old);
        self.notify(Notice::Replaced { key: old, by: new });
    }

    /// Takes a row off the list; nothing is asked or told.
    pub(crate) fn hide(&mut self, key: FileKey) {
        self.let_go(key);
        self.queue.exempt.remove(&key);
        self.queue.paused.remove(&key);
        let Some(file) = self.snapshot.file(key) else {
            return;
        };
        self.identities.remove(key, file);
        if let Some(id) = file.upload
            && self.uploads.get(&id) == Some(&key)
        {
            self.uploads.remove(&id);
        }
        // The names go too: a list that is filled and cleared all day must not grow.
        self.snapshot.update(key, |file| {
            *file = File {
                is_from_this_visit: file.is_from_this_visit,
                ..File::default()
            };
        });
    }

    pub(crate) fn list(&mut self, keys: &[FileKey], uploads: Vec<UploadStatus>) {
        let mut uploads = uploads.into_iter();
        for &key in keys {
            let file = match uploads.next() {
                Some(UploadStatus::Unfinished(unfinished)) => self.unfinished(unfinished),
                Some(UploadStatus::Finished { receipt }) => self.finished(receipt),
                Some(UploadStatus::Gone(_)) | None => File::default(),
            };
            let is_known = file.upload.is_some_and(|id| self.uploads.contains_key(&id));
            let file = if is_known { File::default() } else { file };
            let (id, whole, alone) = (
                file.upload,
                self.identities.whole(&file),
                self.identities.without_path(&file),
            );
            let is_visible = file.is_visible();
            let needs_file = matches!(file.stage, Stage::NeedsFile);
            if !self.snapshot.push(key, file) || !is_visible {
                continue;
            }
            if let Some(id) = id {
                self.uploads.insert(id, key);
            }
            // A row that is under way is not forgotten for one that was listed.
            self.identities.all.entry(whole).or_insert(key);
            if needs_file {
                self.identities.alone.entry(alone).or_default().push(key);
            }
        }
    }

    fn unfinished(&mut self, upload: Unfinished) -> File {
        let received = upload
            .received
            .iter()
            .map(|range| range.len())
            .fold(0u64, u64::saturating_add);
        let size = upload.size.unwrap_or(received);
        let received = received.min(size);
        let mut file = self.identities.file(&Picked {
            name: upload.name,
            path: upload.path,
            size,
            last_modified: upload.last_modified,
            media_type: upload.media_type,
            is_directory: false,
        });
        file.is_from_this_visit = false;
        file.stage = Stage::NeedsFile;
        file.upload = Some(upload.id);
        file.kept = (received, 0);
        file
    }

    fn finished(&mut self, receipt: Receipt) -> File {
        let mut file = self.identities.file(&Picked {
            name: receipt.name.clone(),
            path: receipt.path.clone(),
            size: receipt.size,
            last_modified: receipt.last_modified,
            media_type: receipt.media_type.clone(),
            is_directory: receipt.kind == Kind::Directory,
        });
        file.is_from_this_visit = false;
        file.upload = Some(receipt.id);
        file.kept = (file.size, 0);
        file.stage = Stage::Done(Box::new(receipt));
        file
    }
}
