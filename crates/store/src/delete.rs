//! Cancel, delete, take back, rename, and removing what has expired.

use std::sync::Arc;

use hoist_protocol::{DeleteResult, Kind, Millis, Receipt, RelativePath, UploadId};

use crate::{
    Change, Party, Store, StoreError, SweepReport,
    catalog::{Command, Outcome, Row, RowState},
    disk::layout,
    numbers::Numbers,
    store::{Shared, joined},
};

/// Rows that one look of the sweeper takes.
pub(crate) const SWEEP: u32 = 500;

impl Store {
    /// Cancels unfinished uploads at once and hides finished files for the grace; one result per
    /// id, in order. Idempotent: what is not there, or not this owner's, is *deleted*.
    ///
    /// A write that runs is waited for, so that nothing of it comes later.
    ///
    /// # Errors
    ///
    /// [`StoreError::TooMany`] for a longer list than [`hoist_protocol::Limits::batch`]. What
    /// fails for one id is that id's result.
    ///
    /// # Examples
    ///
    /// ```
    /// # use hoist_protocol::{ByteRange, CreateAnswer, DeleteResult, Millis, NewFile, UploadStatus};
    /// # use hoist_store::{ListQuery, Owner, Party, Store, StoreConfig};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let store = Store::memory(StoreConfig::default());
    /// # let (now, party) = (Millis(0), Party::known(Owner::shared()));
    /// # let file = NewFile { name: "a.txt".into(), size: Some(5), ..NewFile::default() };
    /// # let created = store.create(now, &party, &[file.clone()]).await?;
    /// # let Some(CreateAnswer::Needed(needed)) = created.first() else { panic!() };
    /// # let id = needed.id;
    /// # let mut part = store.write_part(now, &party, id, ByteRange::new(0, 5)).await?;
    /// # part.write(now, "hello".into()).await?;
    /// # part.finish(now).await?;
    /// let deleted = store.delete(now, &party, &[id]).await?;
    /// assert!(matches!(deleted[..], [DeleteResult::Deleting { until: 30_000 }]), "it can be restored");
    /// assert!(store.read(now, &party, id).await.is_err());
    /// let restored = store.restore(now, &party, &[id]).await?;
    /// assert!(matches!(restored[..], [DeleteResult::Restored { .. }]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn delete(
        &self,
        now: Millis,
        party: &Party,
        ids: &[UploadId],
    ) -> Result<Vec<DeleteResult>, StoreError> {
        let mut rows = self.shared.rows_of(party, ids).await?;
        let mut results = Vec::with_capacity(ids.len());
        for id in ids {
            let result = match rows.remove(id) {
                None => Ok(DeleteResult::Deleted),
                Some(row) => self.shared.delete(now, &row).await,
            };
            results.push(result.unwrap_or_else(|error| DeleteResult::Refused(error.body())));
        }
        Ok(results)
    }

    /// Takes deletes back while their grace lasts; one result per id, in order.
    ///
    /// # Errors
    ///
    /// As [`Store::delete`]; what is gone is refused with *not found*.
    pub async fn restore(
        &self,
        now: Millis,
        party: &Party,
        ids: &[UploadId],
    ) -> Result<Vec<DeleteResult>, StoreError> {
        let rows = self.shared.rows_of(party, ids).await?;
        let mut results = Vec::with_capacity(ids.len());
        for id in ids {
            let result = match rows.get(id) {
                Some(row) => self.shared.restore(now, row).await,
                None => Err(StoreError::NotFound),
            };
            results.push(result.unwrap_or_else(|error| DeleteResult::Refused(error.body())));
        }
        Ok(results)
    }

    /// Gives a finished file another name in its folder; never replaces another, so the name on
    /// disk may get a number.
    ///
    /// # Errors
    ///
    /// - [`StoreError::NotFound`] if there is no such finished file.
    /// - [`StoreError::NameNotAllowed`] if it is no name.
    ///
    /// # Examples
    ///
    /// ```
    /// # use hoist_protocol::{ByteRange, CreateAnswer, DeleteResult, Millis, NewFile, UploadStatus};
    /// # use hoist_store::{ListQuery, Owner, Party, Store, StoreConfig};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let store = Store::memory(StoreConfig::default());
    /// # let (now, party) = (Millis(0), Party::known(Owner::shared()));
    /// # let file = NewFile { name: "a.txt".into(), size: Some(5), ..NewFile::default() };
    /// # let created = store.create(now, &party, &[file.clone()]).await?;
    /// # let Some(CreateAnswer::Needed(needed)) = created.first() else { panic!() };
    /// # let id = needed.id;
    /// # let mut part = store.write_part(now, &party, id, ByteRange::new(0, 5)).await?;
    /// # part.write(now, "hello".into()).await?;
    /// # part.finish(now).await?;
    /// let receipt = store.rename(now, &party, id, "b.txt").await?;
    /// assert_eq!((receipt.name.as_str(), receipt.id), ("b.txt", id));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn rename(
        &self,
        now: Millis,
        party: &Party,
        id: UploadId,
        name: &str,
    ) -> Result<Receipt, StoreError> {
        self.shared.check_open()?;
        let row = self.shared.row(party, id).await?;
        if row.state != RowState::Finished || row.expires <= now.0 {
            return Err(StoreError::NotFound);
        }
        self.shared.rename_file(now, row, name).await
    }

    /// Removes unfinished uploads that nobody has sent to for long, and deleted files whose grace
    /// is over; never a file that nobody deleted. The first one after a start also removes bytes that
    /// belong to no upload: what a process left that died. What fails of that is only logged, and tried
    /// again later, at least once an hour.
    ///
    /// # Errors
    ///
    /// [`StoreError`] of the first thing whose time is over and that could not be removed: the others are
    /// removed, and the next sweep tries again.
    ///
    /// # Examples
    ///
    /// ```
    /// # use hoist_protocol::{ByteRange, CreateAnswer, DeleteResult, Millis, NewFile, UploadStatus};
    /// # use hoist_store::{ListQuery, Owner, Party, Store, StoreConfig};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let store = Store::memory(StoreConfig::default());
    /// # let (now, party) = (Millis(0), Party::known(Owner::shared()));
    /// # let file = NewFile { name: "a.txt".into(), size: Some(5), ..NewFile::default() };
    /// # let created = store.create(now, &party, &[file.clone()]).await?;
    /// # let Some(CreateAnswer::Needed(needed)) = created.first() else { panic!() };
    /// # let id = needed.id;
    /// # let mut part = store.write_part(now, &party, id, ByteRange::new(0, 5)).await?;
    /// # part.write(now, "hello".into()).await?;
    /// # part.finish(now).await?;
    /// store.delete(now, &party, &[id]).await?;
    /// assert_eq!(store.sweep(Millis(29_999)).await?.deleted, 0, "its grace is not over");
    /// assert_eq!(store.sweep(Millis(30_000)).await?.deleted, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn sweep(&self, now: Millis) -> Result<SweepReport, StoreError> {
        let mut report = SweepReport::default();
        self.shared.reconcile(now).await;
        let mut failed = None;
        // Rows that stay, for now: the next look passes over them.
        let mut kept = 0;
        loop {
            let rows = self.shared.catalog.expired(now.0, kept, SWEEP).await?;
            for row in &rows {
                match self.shared.sweep_row(row, now).await {
                    Ok(true) if row.state == RowState::Hidden => report.deleted += 1,
                    Ok(true) => report.expired += 1,
                    Ok(false) => kept += 1,
                    Err(error) => {
                        kept += 1;
                        tracing::warn!(id = %row.id, error = &error as &dyn std::error::Error, "what has expired could not be removed yet");
                        failed.get_or_insert(error);
                    }
                }
            }
            if rows.len() < SWEEP as usize {
                let Some(error) = failed else {
                    return Ok(report);
                };
                // Else nobody would be told of those that are gone.
                let (expired, deleted) = (report.expired, report.deleted);
                tracing::info!(expired, deleted, "swept what could be");
                return Err(error);
            }
        }
    }
}

impl Shared {
    /// Removes one row whose time is over; `false` if somebody writes it or took it back.
    async fn sweep_row(&self, row: &Row, now: Millis) -> Result<bool, StoreError> {
        match row.state {
            RowState::Unfinished if !self.is_leased(row.id) => {
                self.remove_unfinished(row.id).await?;
                Self::log(row, "upload expired");
                Ok(true)
            }
            RowState::Hidden => self.remove_file(row, now).await,
            _ => Ok(false),
        }
    }

    async fn rows_of(
        &self,
        party: &Party,
        ids: &[UploadId],
    ) -> Result<std::collections::HashMap<UploadId, Row>, StoreError> {
        self.check_open()?;
        let max = u64::from(self.config.limits.batch);
        if ids.len() as u64 > max {
            return Err(StoreError::TooMany {
                what: "ids in one call",
                max,
            });
        }
        let rows = self.catalog.get(ids.to_vec()).await?;
        Ok(rows
            .into_iter()
            .filter(|row| row.owner == party.owner && party.reaches(row.id))
            .map(|row| (row.id, row))
            .collect())
    }

    async fn delete(self: &Arc<Self>, now: Millis, row: &Row) -> Result<DeleteResult, StoreError> {
        let result = match row.state {
            RowState::Unfinished | RowState::Publishing => {
                // In a task of its own: if who asked has gone, the upload must not stay ended and there.
                let (shared, id) = (Arc::clone(self), row.id);
                let remove = async move { shared.remove_unfinished(id).await };
                joined(tokio::spawn(remove).await)??;
                // The last chunk may have finished it meanwhile: then it is a file, and hidden.
                let left = self.catalog.get(vec![row.id]).await?.pop();
                match left.map(|row| row.state) {
                    None => {
                        Self::log(row, "upload cancelled");
                        DeleteResult::Deleted
                    }
                    Some(RowState::Finished) => self.hide(now, row).await?,
                    Some(_) => {
                        return Err(StoreError::InFlight {
                            retry_after_ms: 200,
                        });
                    }
                }
            }
            RowState::Finished => self.hide(now, row).await?,
            RowState::Hidden if row.expires <= now.0 => DeleteResult::Deleted,
            RowState::Hidden => DeleteResult::Deleting { until: row.expires },
        };
        self.tell(Change::Changed {
            owner: row.owner.clone(),
            id: row.id,
        });
        Ok(result)
    }

    async fn hide(&self, now: Millis, row: &Row) -> Result<DeleteResult, StoreError> {
        let id = row.id;
        let until = now.plus(self.config.delete_grace_ms).0;
        let hide = Command::Hide {
            id,
            now: now.0,
            until,
        };
        match self.apply_event(hide).await? {
            Outcome::NotDone => Ok(DeleteResult::Deleted),
            _ => {
                Self::log(row, "file deleted");
                Ok(DeleteResult::Deleting { until })
            }
        }
    }

    async fn restore(&self, now: Millis, row: &Row) -> Result<DeleteResult, StoreError> {
        match row.state {
            RowState::Finished => Ok(DeleteResult::Restored {
                receipt: row.receipt(),
            }),
            RowState::Hidden if row.expires > now.0 => {
                let (id, now) = (row.id, now.0);
                if let Outcome::NotDone = self.apply_event(Command::Unhide { id, now }).await? {
                    return Err(StoreError::NotFound);
                }
                Self::log(row, "file restored");
                self.tell(Change::Changed {
                    owner: row.owner.clone(),
                    id: row.id,
                });
                Ok(DeleteResult::Restored {
                    receipt: row.receipt(),
                })
            }
            _ => Err(StoreError::NotFound),
        }
    }

    /// Ends an unfinished upload for all who write it, then removes it and its bytes.
    pub(crate) async fn remove_unfinished(&self, id: UploadId) -> Result<(), StoreError> {
        // Nobody loads it anew while it goes.
        let _loading = self.loading(id).await;
        if let Some(active) = self.remembered(id) {
            // Whoever publishes it is let finish: then there is nothing unfinished to remove.
            active.end_unpublished().await;
        }
        let found = self.catalog.get(vec![id]).await;
        // Also if that failed: the one in memory takes no more bytes.
        self.forget(id);
        match found?.pop().map(|row| row.state) {
            Some(RowState::Unfinished) => {}
            // Published in the last moment.
            _ => return Ok(()),
        }
        // The row first: bytes without a row are found and removed after the next start, while a row
        // without bytes would claim what is not there.
        self.catalog.apply(Command::Remove { id }).await?;
        let backend = Arc::clone(&self.backend);
        self.run("removing an upload", move || backend.clear(id, true))
            .await
    }

    /// Removes a hidden file for good; `false` if it was taken back in the last moment.
    async fn remove_file(&self, row: &Row, now: Millis) -> Result<bool, StoreError> {
        let (id, now) = (row.id, now.0);
        if let Outcome::NotDone = self.catalog.apply(Command::Doom { id, now }).await? {
            return Ok(false);
        }
        let (backend, place) = (
            Arc::clone(&self.backend),
            layout::place(&row.owner, &row.stored_as),
        );
        let names = backend.names_at(&place);
        self.run("removing a file", move || backend.remove(&place))
            .await?;
        // Else it could come back, and no row would know it.
        self.make_durable(names).await?;
        self.catalog.apply(Command::Remove { id }).await?;
        Self::log(row, "file removed");
        Ok(true)
    }

    async fn rename_file(
        self: &Arc<Self>,
        now: Millis,
        mut row: Row,
        name: &str,
    ) -> Result<Receipt, StoreError> {
        let path = RelativePath::new(&row.folder, name)?;
        // The folder on disk may have a number that the picked one has not.
        let folder = row
            .stored_as
            .rsplit_once('/')
            .map(|(folder, _)| folder.to_owned());
        let spelt = layout::spelled(&RelativePath::new("", path.name())?);
        let wanted = folder.map_or(spelt.clone(), |folder| format!("{folder}/{spelt}"));
        let mut numbers = Numbers::new(&row.owner, row.id, wanted);
        loop {
            let stored_as = numbers.next(self).await?;
            let is_same = stored_as == row.stored_as;
            // A file has both names until the catalog knows the new one: whatever happens in
            // between, it lies where the catalog says. An empty folder can be made at any time.
            let is_file = row.kind == Kind::File && !is_same;
            if is_file {
                if !self.link(&row, &row.stored_as, &stored_as).await? {
                    continue;
                }
                let place = layout::place(&row.owner, &stored_as);
                let durable = self.make_durable(self.backend.names_at(&place)).await;
                if let Err(error) = durable {
                    self.take_name_back(&row, &stored_as).await;
                    return Err(error);
                }
            }
            let command = Command::Move {
                id: row.id,
                now: now.0,
                name: name.to_owned(),
                from: row.stored_as.clone(),
                path_key: layout::key(&stored_as),
                stored_as: stored_as.clone(),
            };
            let moved = match self.apply_event(command).await {
                Ok(moved) => moved,
                Err(error) => {
                    if is_file {
                        self.take_name_back(&row, &stored_as).await;
                    }
                    return Err(error);
                }
            };
            if let Outcome::Done = moved {
                // It has its new name, whatever becomes of the old one: that is kept in mind.
                let tidied = async {
                    if !is_file && !is_same {
                        self.link(&row, &row.stored_as, &stored_as).await?;
                    }
                    if !is_same {
                        self.drop_name(&row).await?;
                    }
                    Ok::<_, StoreError>(())
                };
                if let Err(error) = tidied.await {
                    tracing::warn!(id = %row.id, error = &error as &dyn std::error::Error, "the old name of a file stays until the next start");
                }
                row.name = name.to_owned();
                row.stored_as = stored_as;
                Self::log(&row, "file renamed");
                self.tell(Change::Changed {
                    owner: row.owner.clone(),
                    id: row.id,
                });
                return Ok(row.receipt());
            }
            // Another file has the name, or this one was deleted or renamed at the same time.
            let found = self.catalog.get(vec![row.id]).await?.pop();
            if is_file {
                self.drop_new_name(&row, &stored_as, found.as_ref()).await?;
            }
            match found.filter(|now| now.state == RowState::Finished) {
                None => return Err(StoreError::NotFound),
                Some(now) if now.stored_as != row.stored_as => return Err(StoreError::Unavailable),
                Some(_) => {}
            }
        }
    }

    /// Takes a new name back that the catalog did not take, as far as that can be known and done; what
    /// stays `hoist verify` tells of.
    async fn take_name_back(&self, row: &Row, stored_as: &str) {
        let taken_back = async {
            let found = self.catalog.get(vec![row.id]).await?.pop();
            if found.as_ref().is_none_or(|now| now.stored_as != stored_as) {
                self.drop_new_name(row, stored_as, found.as_ref()).await?;
            }
            Ok::<_, StoreError>(())
        };
        if let Err(error) = taken_back.await {
            tracing::warn!(id = %row.id, error = &error as &dyn std::error::Error, "a file lies under a name that nobody knows");
        }
    }

    /// Takes a new name away from a file whose row, as it is `now`, does not have it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`] if that would take its only name: then it keeps it.
    async fn drop_new_name(
        &self,
        row: &Row,
        stored_as: &str,
        now: Option<&Row>,
    ) -> Result<(), StoreError> {
        if now.is_some_and(|now| now.stored_as == row.stored_as)
            // Where a file has one name only, it has moved and must come back.
            && !self.link(row, stored_as, &row.stored_as).await?
            // Something has the old name: this very file, or what somebody has put there since it moved.
            && !self.is_same(row, stored_as, &row.stored_as).await?
        {
            return Err(StoreError::Io {
                doing: "giving a file its old name back",
                source: std::io::ErrorKind::AlreadyExists.into(),
            });
        }
        self.unlink(row, stored_as).await
    }

    /// Whether two names of this owner are one file.
    pub(crate) async fn is_same(
        &self,
        row: &Row,
        one: &str,
        other: &str,
    ) -> Result<bool, StoreError> {
        let (backend, one, other) = (
            Arc::clone(&self.backend),
            layout::place(&row.owner, one),
            layout::place(&row.owner, other),
        );
        self.run("comparing two names", move || backend.is_same(&one, &other))
            .await
    }

    async fn link(&self, row: &Row, from: &str, to: &str) -> Result<bool, StoreError> {
        let (from, to, kind) = (
            layout::place(&row.owner, from),
            layout::place(&row.owner, to),
            row.kind,
        );
        let at = to.clone();
        self.put(
            "giving a file its new name",
            &to,
            move |backend| match kind {
                Kind::File => backend.link(&from, &at),
                Kind::Directory => backend.make_folder(&at),
            },
        )
        .await
    }

    pub(crate) async fn unlink(&self, row: &Row, stored_as: &str) -> Result<(), StoreError> {
        let (backend, place) = (
            Arc::clone(&self.backend),
            layout::place(&row.owner, stored_as),
        );
        self.run("taking a file's name away", move || backend.remove(&place))
            .await
    }
}
