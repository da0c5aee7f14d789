//! The one connection that writes, on a thread of its own.

use std::sync::atomic::Ordering;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::{Counter, command, failed};
use crate::{
    StoreError,
    catalog::{Command, Outcome},
};

/// Jobs of one transaction.
const GROUP: usize = 1024;

/// Commands that belong together, and who waits for what becomes of them.
pub(super) type Job = (
    Vec<Command>,
    oneshot::Sender<Result<Vec<Outcome>, StoreError>>,
);

/// What the thread does: it ends when the last handle is gone.
pub(super) fn work(
    writer: Connection,
    mut queue: mpsc::Receiver<Job>,
    subscribers: &[String],
    transactions: &Counter,
) {
    let mut group: Vec<Job> = Vec::new();
    while queue.blocking_recv_many(&mut group, GROUP) > 0 {
        let result = run_group(&writer, &group, subscribers);
        transactions.fetch_add(1, Ordering::Relaxed);
        match result {
            Ok(outcomes) => {
                for ((_, reply), outcome) in group.drain(..).zip(outcomes) {
                    // Nobody waits any more: the change stands, as if its answer had been lost.
                    let _ = reply.send(Ok(outcome));
                }
            }
            Err(error) => {
                let is_full = matches!(error, StoreError::StorageFull);
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the catalog could not be written"
                );
                for (_, reply) in group.drain(..) {
                    let _ = reply.send(Err(if is_full {
                        StoreError::StorageFull
                    } else {
                        StoreError::Unavailable
                    }));
                }
            }
        }
    }
    // Checkpoints the write-ahead log; a failure leaves it for the next start.
    let _ = writer.close();
}

/// All of these or none.
///
/// SQLite ends a transaction by itself when the disk is full; only a plain ROLLBACK does not mind
/// (sqlite.org/lang_transaction.html, 3.1).
fn run_group(
    writer: &Connection,
    group: &[Job],
    subscribers: &[String],
) -> Result<Vec<Vec<Outcome>>, StoreError> {
    let done = run_open_group(writer, group, subscribers);
    if done.is_err() {
        // An error: nothing is open any more, or nothing was.
        let _ = writer.execute_batch("ROLLBACK");
    }
    done
}

fn run_open_group(
    writer: &Connection,
    group: &[Job],
    subscribers: &[String],
) -> Result<Vec<Vec<Outcome>>, StoreError> {
    writer
        .execute_batch("BEGIN IMMEDIATE")
        .map_err(failed("beginning"))?;
    let run = |(commands, _): &Job| {
        let run = |command| command::run(writer, command, subscribers);
        commands.iter().map(run).collect::<Result<_, _>>()
    };
    let outcomes = group.iter().map(run).collect::<Result<_, _>>();
    let outcomes = outcomes.map_err(failed("writing"))?;
    writer
        .execute_batch("COMMIT")
        .map_err(failed("committing"))?;
    Ok(outcomes)
}
