//! The steps that small files make together: each is a trip to the disk or to the catalog.

use std::sync::Arc;

use hoist_protocol::{Checksum, ChunkHasher, Millis, merge_checksums};

use super::{Answer, Small};
use crate::{
    Change, ChunkAnswer, StoreError,
    backend::{Backend, Unsynced},
    catalog::{Command, Outcome, Row, RowState},
    figures::add,
    piece::expect,
    publish::Publishing,
    store::{Shared, io_error},
};

/// One whose bytes lie on the disk. Dropping it lets others go on with the upload.
#[derive(Debug)]
pub(super) struct Written {
    at: usize,
    row: Row,
    publishing: Publishing,
    /// What a planted fault has left out.
    #[cfg(test)]
    unsynced: Vec<Unsynced>,
}

/// One that lies on the disk, or leaves the short way: refused, or without an answer.
type Wrote = Result<(Written, Vec<Unsynced>), (usize, Option<StoreError>)>;

impl Shared {
    /// Writes all of them, and syncs them together.
    pub(super) async fn write_small(
        &self,
        small: Vec<Small>,
        answers: &mut [Answer],
    ) -> Vec<Written> {
        if small.is_empty() {
            return Vec::new();
        }
        for one in &small {
            self.count_received(one.chunk.length);
        }
        let (backend, failed) = (Arc::clone(&self.backend), self.backend.failed_syncs());
        let wrote = self.start(move || small.into_iter().map(|one| one.write(&*backend)).collect());
        let wrote: Vec<Wrote> = wrote.await.unwrap_or_default();
        let (mut written, mut unsynced) = (Vec::new(), Vec::new());
        for one in wrote {
            match one {
                #[cfg(test)]
                Ok((mut one, of_one)) if self.leaves_unsynced(None) => {
                    one.unsynced = of_one;
                    written.push(one);
                }
                Ok((one, of_one)) => {
                    written.push(one);
                    unsynced.extend(of_one);
                }
                Err((at, Some(error))) => refuse(answers, at, error),
                Err((_, None)) => {}
            }
        }
        match self.make_durable_since(failed, unsynced).await {
            Ok(()) => written,
            Err(error) => refuse_all(answers, &written, &error),
        }
    }

    /// Claims the name that each wants; who does not get it looks for another on the long way.
    pub(super) async fn claim_small(
        &self,
        written: Vec<Written>,
        answers: &mut [Answer],
    ) -> Vec<Written> {
        let claim = |one: &Written| Command::Claim {
            id: one.row.id,
            stored_as: one.row.stored_as.clone(),
            path_key: one.row.path_key.clone(),
            hash: one.row.hash,
            size: one.row.size.unwrap_or(0),
        };
        match self.apply_to(&written, claim).await {
            Ok(outcomes) => done(written, &outcomes),
            Err(error) => refuse_all(answers, &written, &error),
        }
    }

    /// Gives each its place, and syncs their names together.
    pub(super) async fn place_small(
        &self,
        claimed: Vec<Written>,
        answers: &mut [Answer],
    ) -> Vec<Written> {
        if claimed.is_empty() {
            return claimed;
        }
        let backend = Arc::clone(&self.backend);
        let placed = self.start(move || {
            let publish = |one: Written| {
                let row = &one.row;
                let done = backend.publish(row.id, &row.place(), row.last_modified);
                (one, done)
            };
            claimed.into_iter().map(publish).collect::<Vec<_>>()
        });
        let all = placed.await;
        let (mut placed, mut back) = (Vec::new(), Vec::new());
        for (one, done) in all.unwrap_or_default() {
            match done {
                Ok(true) => placed.push(one),
                // Something lies there that the catalog does not know, or a folder has gone.
                Ok(false) => back.push(one),
                Err(error) => {
                    tracing::debug!(id = %one.row.id, %error, "a small file goes the long way");
                    back.push(one);
                }
            }
        }
        let unclaim = |one: &Written| Command::Unclaim { id: one.row.id };
        if let Err(error) = self.apply_to(&back, unclaim).await {
            keep_claimed(&back);
            refuse_all(answers, &back, &error);
        }
        #[cfg(test)]
        if self.config.planted == Some(crate::planted::Planted::RenameBeforeSync) {
            let late = placed.iter().flat_map(|one| one.unsynced.clone());
            if let Err(error) = self.make_durable(late.collect()).await {
                return refuse_all(answers, &placed, &error);
            }
        }
        let names = placed
            .iter()
            .flat_map(|one| self.backend.names_at(&one.row.place()));
        match self.make_durable(names.collect()).await {
            Ok(()) => placed,
            Err(error) => {
                keep_claimed(&placed);
                refuse_all(answers, &placed, &error)
            }
        }
    }

    /// Notes that they are files, and says so.
    pub(super) async fn finish_small(
        &self,
        now: Millis,
        placed: Vec<Written>,
        answers: &mut [Answer],
    ) {
        let finish = |one: &Written| Command::Finish {
            id: one.row.id,
            finished: now.0,
        };
        let outcomes = match self.apply_to(&placed, finish).await {
            Ok(outcomes) => outcomes,
            Err(error) => {
                keep_claimed(&placed);
                refuse_all(answers, &placed, &error);
                return;
            }
        };
        self.news.send_replace(());
        for mut one in done(placed, &outcomes) {
            one.row.state = RowState::Finished;
            one.row.finished = now.0;
            Self::log(&one.row, "file finished");
            let receipt = one.row.receipt();
            add(&self.counters.acknowledged, receipt.size);
            one.publishing.0.lock().has_ended = true;
            self.forget(one.row.id);
            self.tell(Change::Finished {
                owner: one.row.owner,
                receipt: receipt.clone(),
            });
            if let Some(answer) = answers.get_mut(one.at) {
                *answer = Some(Ok(ChunkAnswer {
                    is_new: true,
                    receipt: Some(receipt),
                }));
            }
        }
    }

    async fn apply_to(
        &self,
        all: &[Written],
        command: impl Fn(&Written) -> Command,
    ) -> Result<Vec<Outcome>, StoreError> {
        if all.is_empty() {
            return Ok(Vec::new());
        }
        self.catalog
            .apply_all(all.iter().map(command).collect())
            .await
    }
}

impl Small {
    /// Checks the bytes and writes them, on a thread that may wait for the disk.
    fn write(mut self, backend: &dyn Backend) -> Wrote {
        let at = self.at;
        let unsynced = match self.put(backend) {
            Ok(unsynced) => unsynced,
            Err(error) => return Err((at, error)),
        };
        {
            let mut inner = self.active.lock();
            if inner.has_ended {
                // Deleted meanwhile; the long way says so.
                return Err((at, None));
            }
            // Before the lease goes: from here on nobody else may write.
            inner.is_publishing = true;
        }
        let publishing = Publishing(self.active);
        drop((self.busy, self.grant));
        let row = self.row;
        Ok((
            Written {
                at,
                row,
                publishing,
                #[cfg(test)]
                unsynced: Vec::new(),
            },
            unsynced,
        ))
    }

    fn put(&mut self, backend: &dyn Backend) -> Result<Vec<Unsynced>, Option<StoreError>> {
        let layout = self.row.layout().ok_or(None)?;
        let hash = || -> Result<Checksum, StoreError> {
            let wrong = |_| StoreError::InvalidChunk("bytes are missing");
            let mut hasher = ChunkHasher::new(layout, 0).map_err(wrong)?;
            hasher.update(&self.bytes).map_err(wrong)?;
            let found = hasher.finish().map_err(wrong)?;
            expect(&self.chunk, found)?;
            merge_checksums(layout, [found]).map_err(wrong)
        };
        // Hashed first: what is damaged never touches the disk.
        self.row.hash = Some(hash()?);
        let failed = |error| Some(io_error("writing a small file")(error));
        let incoming = backend.begin(self.row.id).map_err(failed)?;
        incoming.write_at(0, &self.bytes).map_err(failed)?;
        let mut unsynced = incoming.unsynced();
        // An error: a file is where a folder should be, and the long way goes around it.
        unsynced.extend(backend.prepare(&self.row.place()).map_err(|_| None)?);
        Ok(unsynced)
    }
}

/// Those of which something was done.
fn done(all: Vec<Written>, outcomes: &[Outcome]) -> Vec<Written> {
    let is_done = |outcome: &Outcome| matches!(outcome, Outcome::Done);
    let with = all.into_iter().zip(outcomes);
    with.filter_map(|(one, outcome)| is_done(outcome).then_some(one))
        .collect()
}

/// They have their places, or may have: whoever asks for one next goes on from there.
fn keep_claimed(all: &[Written]) {
    for one in all {
        one.publishing.0.lock().is_claimed = true;
    }
}

fn refuse(answers: &mut [Answer], at: usize, error: StoreError) {
    if let Some(answer) = answers.get_mut(at) {
        *answer = Some(Err(error));
    }
}

/// Refuses all of them for what went wrong with all; none is left.
fn refuse_all(answers: &mut [Answer], all: &[Written], error: &StoreError) -> Vec<Written> {
    tracing::warn!(
        error = error as &dyn std::error::Error,
        files = all.len(),
        "small files could not be published"
    );
    for one in all {
        let error = match error {
            StoreError::StorageFull => StoreError::StorageFull,
            _ => StoreError::Unavailable,
        };
        refuse(answers, one.at, error);
    }
    Vec::new()
}
