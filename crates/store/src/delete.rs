//! Cancel, delete, take back, and removing what has expired.

use std::sync::Arc;

use hoist_protocol::{DeleteResult, Millis, UploadId};

use crate::{
    Change, Party, Store, StoreError, SweepReport,
    catalog::{Command, Outcome, Row, RowState},
    disk::layout,
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
}
