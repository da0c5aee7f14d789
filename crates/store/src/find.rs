//! Looking for earlier uploads without making new ones: for protocols that name files, not ids.

use std::sync::Arc;

use hoist_protocol::{CreateAnswer, Millis, NewFile, RelativePath};

use crate::{Party, Store, StoreError};

impl Store {
    /// What [`Store::create`] would find of each file, in order; `None` where it would make a new
    /// upload. Adds nothing, and asks no limit but the length of the list: what is there is found,
    /// whatever has been forbidden since.
    ///
    /// Nothing is ever found of a file without a time of modification, nor for a party that does
    /// not find earlier ones.
    ///
    /// # Errors
    ///
    /// [`StoreError::TooMany`] for a longer list than [`hoist_protocol::Limits::batch`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use hoist_protocol::{ByteRange, CreateAnswer, DeleteResult, Millis, NewFile, UploadStatus};
    /// # use hoist_store::{ListQuery, Owner, Party, Store, StoreConfig};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let store = Store::memory(StoreConfig::default());
    /// # let (now, party) = (Millis(0), Party::known(Owner::shared()));
    /// # let file = NewFile { name: "a.txt".into(), size: Some(5), last_modified: Some(0), ..NewFile::default() };
    /// # let created = store.create(now, &party, &[file.clone()]).await?;
    /// # let Some(CreateAnswer::Needed(needed)) = created.first() else { panic!() };
    /// # let id = needed.id;
    /// # let mut part = store.write_part(now, &party, id, ByteRange::new(0, 5)).await?;
    /// # part.write(now, "hello".into()).await?;
    /// # part.finish(now).await?;
    /// // The same file again is found and not created; another one is neither.
    /// let other = NewFile { name: "b.txt".into(), ..file.clone() };
    /// let found = store.find(now, &party, &[file, other]).await?;
    /// assert!(matches!(found[..], [Some(CreateAnswer::Present { .. }), None]), "{found:?}");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn find(
        &self,
        now: Millis,
        party: &Party,
        files: &[NewFile],
    ) -> Result<Vec<Option<CreateAnswer>>, StoreError> {
        self.shared.check_open()?;
        party.check_whole()?;
        let max = u64::from(self.shared.config.limits.batch);
        if files.len() as u64 > max {
            return Err(StoreError::TooMany {
                what: "files in one call",
                max,
            });
        }
        let mut found = Vec::with_capacity(files.len());
        for file in files {
            found.push(self.find_one(now, party, file).await?);
        }
        Ok(found)
    }

    async fn find_one(
        &self,
        now: Millis,
        party: &Party,
        file: &NewFile,
    ) -> Result<Option<CreateAnswer>, StoreError> {
        // What cannot be a path, or is too large to be cut, is not there.
        let creation = RelativePath::new(&file.path, &file.name)
            .ok()
            .and_then(|path| self.shared.unchecked(now, party, file, &path).ok());
        let Some(creation) = creation.filter(|creation| creation.finds_earlier) else {
            return Ok(None);
        };
        match self.shared.catalog.earlier(creation.row).await? {
            Some(earlier) => Arc::clone(&self.shared).earlier(now, &earlier, None).await,
            None => Ok(None),
        }
    }
}
