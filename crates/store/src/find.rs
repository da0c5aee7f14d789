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
    pub async fn find(
        &self,
        now: Millis,
        party: &Party,
        files: &[NewFile],
    ) -> Result<Vec<Option<CreateAnswer>>, StoreError> {
        self.shared.check_open()?;
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
            Some(earlier) => Arc::clone(&self.shared).earlier(now, &earlier).await,
            None => Ok(None),
        }
    }
}
