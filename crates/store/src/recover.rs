//! What a process left that died, put in order: at the next start what somebody may ask for at once, the
//! rest by the first sweep.

use std::{collections::HashSet, sync::Arc};

use hoist_protocol::{Kind, Millis, UploadId};

use crate::{
    StoreError,
    catalog::{Command, Row, RowState},
    disk::layout,
    publish::hash,
    store::Shared,
};

/// Uploads that are looked at in one go.
const AT_ONCE: usize = 500;

/// How long after the first failure what an earlier process left is looked at again; each time twice as
/// long.
const AGAIN_MS: u64 = 60_000;
/// And at most so long.
const AGAIN_AT_MOST_MS: u64 = 60 * AGAIN_MS;

/// What is still to be looked at of what an earlier process left.
#[derive(Debug, Default)]
pub(crate) struct Leftovers {
    /// The parts of the incoming; `None` until somebody has listed them.
    parts: Option<Vec<String>>,
    /// When it was last tried, and failed.
    tried: Millis,
    pause_ms: u64,
}

impl Leftovers {
    fn is_due(&self, now: Millis) -> bool {
        let is_done = self.parts.as_ref().is_some_and(Vec::is_empty);
        !is_done && now.since(self.tried) >= self.pause_ms
    }

    /// Remembers what is left to be tried again.
    fn put_off(&mut self, now: Millis, parts: Option<Vec<String>>) {
        self.parts = parts;
        self.tried = now;
        self.pause_ms = (2 * self.pause_ms).clamp(AGAIN_MS, AGAIN_AT_MOST_MS);
    }
}

/// What the bytes are that a finished file has still among the incoming.
enum Left {
    /// Of no use: it lies in its place.
    SecondName,
    /// The whole file, which lies nowhere else.
    File,
    /// Not what the file was, which lies nowhere else.
    Nothing,
}

/// Whether an upload waits for bytes, or is just being published.
const fn is_waiting(row: &Row) -> bool {
    matches!(row.state, RowState::Unfinished | RowState::Publishing)
}

impl Shared {
    /// Takes the old name of a renamed file away, which the catalog has kept until that is sure.
    pub(crate) async fn drop_name(&self, old: &Row) -> Result<(), StoreError> {
        self.unlink(old, &old.stored_as).await?;
        let place = layout::place(&old.owner, &old.stored_as);
        self.make_durable(self.backend.names_at(&place)).await?;
        let dropped = Command::NameDropped {
            id: old.id,
            stored_as: old.stored_as.clone(),
        };
        self.catalog.apply(dropped).await?;
        Ok(())
    }

    /// Takes old names away that a process left which died while it renamed.
    pub(crate) async fn drop_old_names(&self) -> Result<(), StoreError> {
        for (id, old) in self.catalog.old_names().await? {
            let row = self.catalog.get(vec![id]).await?.pop();
            if let Some(row) = row
                && row.stored_as != old
            {
                // Something else may lie there by now: it is removed only if it is this very file.
                if self.is_same(&row, &row.stored_as, &old).await? {
                    let stored_as = old.clone();
                    self.drop_name(&Row { stored_as, ..row }).await?;
                    continue;
                }
            }
            let dropped = Command::NameDropped { id, stored_as: old };
            self.catalog.apply(dropped).await?;
        }
        Ok(())
    }

    /// Looks, once after each start, for bytes that no row knows or that are files already, and for
    /// files that have lost their names: what a process left that died between the two.
    ///
    /// Others work meanwhile: a start would have to wait for ten thousand rows. It is done in parts,
    /// and one upload that fails stops no other. A part in which one did is looked at again, less and
    /// less often: looking may hash whole files, and what nobody mends would cost that every time.
    /// Nothing else depends on it, so the log is told and not who sweeps.
    pub(crate) async fn reconcile(&self, now: Millis) {
        // Written only at the end: who sweeps may go away in between.
        let mut leftovers = self.leftovers.lock().await;
        if !leftovers.is_due(now) {
            return;
        }
        let parts = match &leftovers.parts {
            Some(parts) => Ok(parts.clone()),
            None => {
                let backend = Arc::clone(&self.backend);
                self.run("listing uploads", move || backend.parts()).await
            }
        };
        let parts = match parts {
            Ok(parts) => parts,
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "what an earlier process left could not be listed yet"
                );
                return leftovers.put_off(now, None);
            }
        };
        let (mut removed, mut left) = (0, Vec::new());
        for part in parts {
            match self.reconcile_part(&part, &mut removed).await {
                Ok(true) => {}
                Ok(false) => left.push(part),
                Err(error) => {
                    tracing::warn!(%part, error = &error as &dyn std::error::Error, "what an earlier process left could not be looked at yet");
                    left.push(part);
                }
            }
        }
        if removed > 0 {
            tracing::info!(removed, "removed bytes that belong to no upload");
        }
        leftovers.put_off(now, Some(left));
    }

    /// Whether all of it is in order now; counts the uploads of which something was removed.
    async fn reconcile_part(&self, part: &str, removed: &mut u64) -> Result<bool, StoreError> {
        let (backend, of) = (Arc::clone(&self.backend), part.to_owned());
        let ids = self.run("listing uploads", move || backend.list(&of));
        let mut is_in_order = true;
        for ids in ids.await?.chunks(AT_ONCE) {
            // Nearly all wait for bytes, and are passed over. What the others are is asked again when it
            // is their turn: they may have been taken back meanwhile.
            let known = self.catalog.get(ids.to_vec()).await?;
            let waiting: HashSet<_> = known
                .iter()
                .filter(|row| is_waiting(row))
                .map(|row| row.id)
                .collect();
            for id in ids.iter().filter(|id| !waiting.contains(id)) {
                match self.put_in_order(*id).await {
                    Ok(is_removed) => *removed += u64::from(is_removed),
                    Err(error) => {
                        tracing::warn!(%id, error = &error as &dyn std::error::Error, "what belongs to no upload could not be removed yet");
                        is_in_order = false;
                    }
                }
            }
        }
        Ok(is_in_order)
    }

    /// Removes what is incoming of an upload that does not wait for bytes, and gives a finished file its
    /// place again if it has lost it; whether there was anything to be done.
    ///
    /// Whoever misses a file asks this first: it may be that nobody has looked since the machine died.
    pub(crate) async fn put_in_order(&self, id: UploadId) -> Result<bool, StoreError> {
        // One at a time, or the second would find the bytes gone and believe the file lost. Under the
        // same lock all is decided and done: nobody takes a row back in between.
        let _loading = self.loading(id).await;
        let row = self.catalog.get(vec![id]).await?.pop();
        let all = match row {
            // Whatever had bytes when they were listed had its row before.
            None => true,
            Some(row) if is_waiting(&row) => return Ok(false),
            // Published, but the process died before it cleared up; or the machine died and its
            // name was lost, which had not been synced.
            Some(row) if row.state == RowState::Finished => self.publish_again(row).await?,
            Some(_) => true,
        };
        let backend = Arc::clone(&self.backend);
        self.run("removing what belongs to no upload", move || {
            backend.clear(id, all)
        })
        .await?;
        Ok(true)
    }

    /// Gives a finished file its place again if it has lost it; `true` if what is incoming of it is of
    /// no use. Under [`Self::loading`].
    async fn publish_again(&self, row: Row) -> Result<bool, StoreError> {
        let id = row.id;
        let (backend, of) = (Arc::clone(&self.backend), row.clone());
        let place = layout::place(&row.owner, &row.stored_as);
        let (at, is_file) = (place.clone(), row.kind == Kind::File);
        let whole = self.run("looking for a file", move || {
            let Some(incoming) = backend.incoming(id)?.filter(|_| is_file) else {
                return Ok(None);
            };
            let stored = backend.open(&at)?;
            let length = stored.as_ref().map(|file| file.len()).transpose()?;
            if length.is_some() && length == of.size {
                return Ok(Some(Left::SecondName));
            }
            let is_whole = match of.layout() {
                Some(layout) if incoming.len()? == layout.file_size() => {
                    of.hash == Some(hash(&*incoming, layout, true)?)
                }
                _ => false,
            };
            Ok(match (is_whole, stored.is_some()) {
                (true, false) => Some(Left::File),
                // Something else lies in its place, which is not replaced.
                (true, true) => None,
                (false, true) => Some(Left::SecondName),
                (false, false) => Some(Left::Nothing),
            })
        });
        match whole.await? {
            None => Ok(false),
            Some(Left::SecondName) => Ok(true),
            Some(Left::File) => {
                self.put_in_place(&row).await?;
                self.make_durable(self.backend.names_at(&place)).await?;
                tracing::warn!(%id, "a finished file had lost its name when the machine died, and has it again");
                Ok(false)
            }
            Some(Left::Nothing) => {
                let from = row.stored_as;
                self.catalog.apply(Command::Lost { id, from }).await?;
                tracing::warn!(%id, "a finished file was lost when the machine died; it is asked for again");
                Ok(true)
            }
        }
    }
}
