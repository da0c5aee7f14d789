//! Giving a file another name, and its names on disk one by one.

use std::sync::Arc;

use hoist_protocol::{Kind, Millis, Receipt, RelativePath, UploadId};

use crate::{
    Change, Party, Store, StoreError,
    catalog::{Command, Outcome, Row, RowState},
    disk::layout,
    numbers::Numbers,
    store::Shared,
};

impl Store {
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
}

impl Shared {
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
