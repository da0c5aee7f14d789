//! A catalog in memory, for tests and the simulator: the same answers, gone with the process.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use hoist_protocol::{ListCounts, UploadId};

use super::{
    After, Answer, Catalog, Command, Creation, Found, Left, Mark, Outcome, Room, Row, RowState,
    TokenRow, Usage, outbox::MemoryOutbox, token,
};
use crate::{Event, Owner};

#[derive(Debug, Default)]
pub(crate) struct MemoryCatalog {
    rows: Mutex<BTreeMap<UploadId, Row>>,
    old_names: Mutex<Vec<(UploadId, String)>>,
    mark: Mutex<Mark>,
    outbox: Mutex<MemoryOutbox>,
    tokens: Mutex<Vec<TokenRow>>,
    #[cfg(test)]
    transactions: std::sync::atomic::AtomicU64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const fn done(is_done: bool) -> Outcome {
    if is_done {
        Outcome::Done
    } else {
        Outcome::NotDone
    }
}

type Rows<'a> = MutexGuard<'a, BTreeMap<UploadId, Row>>;

impl MemoryCatalog {
    pub(crate) fn new(subscribers: &[String]) -> Self {
        let catalog = Self::default();
        lock(&catalog.outbox).subscribers = subscribers.to_vec();
        catalog
    }

    fn rows(&self) -> Rows<'_> {
        lock(&self.rows)
    }

    fn now<T: Send + 'static>(answer: T) -> Answer<'static, T> {
        Box::pin(std::future::ready(Ok(answer)))
    }
}

/// The key of a list: unfinished first, newest first, the id decides between equals.
fn list_key(row: &Row) -> (bool, std::cmp::Reverse<u64>, UploadId) {
    (
        row.state == RowState::Finished,
        std::cmp::Reverse(row.list_time()),
        row.id,
    )
}

/// The earlier upload or file of the same identity: in the same folder, or, for one picked alone,
/// in any if there is only one.
fn earlier(rows: &BTreeMap<UploadId, Row>, row: &Row) -> Option<Row> {
    let same = |old: &Row| {
        old.owner == row.owner
            && old.kind == row.kind
            && old.name == row.name
            && old.size == row.size
            && old.last_modified == row.last_modified
            && old.state != RowState::Hidden
    };
    let best = |alone: bool| {
        let mut found: Vec<&Row> = rows
            .values()
            .filter(|old| same(old) && (alone || old.folder == row.folder))
            .collect();
        if alone && found.len() > 1 {
            return None;
        }
        found.sort_by_key(|old| (old.state != RowState::Finished, old.created, old.id));
        found.first().map(|old| (*old).clone())
    };
    best(false).or_else(|| row.is_picked_alone().then(|| best(true)).flatten())
}

fn create(
    rows: &mut BTreeMap<UploadId, Row>,
    creation: Creation,
    room: &Room,
    left: &mut Option<Left>,
) -> Found {
    let row = creation.row;
    if creation.finds_earlier
        && let Some(earlier) = earlier(rows, &row)
    {
        return Found::Earlier(earlier);
    }
    if creation.asks {
        let taken = rows.values().find(|old| {
            old.owner == row.owner
                && old.path_key == row.path_key
                && old.state == RowState::Finished
        });
        if let Some(taken) = taken {
            return Found::Conflict(taken.clone());
        }
    }
    let left = left.get_or_insert_with(|| {
        let own = usage(rows, Some(&room.owner), room.since);
        room.left(own, usage(rows, None, room.since))
    });
    if let Err(reason) = left.take(&row) {
        return Found::NoRoom(reason);
    }
    rows.insert(row.id, row);
    Found::Added
}

fn usage(rows: &BTreeMap<UploadId, Row>, owner: Option<&Owner>, since: u64) -> Usage {
    let mut usage = Usage::default();
    for row in rows
        .values()
        .filter(|row| owner.is_none_or(|owner| row.owner == *owner))
    {
        if matches!(row.state, RowState::Finished | RowState::Hidden) {
            usage.finished += u64::from(row.state == RowState::Finished);
            usage.finished_bytes = usage.finished_bytes.saturating_add(row.size.unwrap_or(0));
        } else {
            usage.unfinished += 1;
            if row.received > 0 || row.created > since {
                let size = row.size.unwrap_or(row.received);
                usage.unfinished_bytes = usage.unfinished_bytes.saturating_add(size);
                let missing = size.saturating_sub(row.received);
                usage.missing_bytes = usage.missing_bytes.saturating_add(missing);
                if row.received > 0 {
                    usage.missing_of_begun = usage.missing_of_begun.saturating_add(missing);
                }
            }
        }
    }
    usage
}

impl Catalog for MemoryCatalog {
    #[cfg(test)]
    fn transactions(&self) -> u64 {
        self.transactions.load(std::sync::atomic::Ordering::Relaxed)
    }

    fn apply(&self, command: Command) -> Answer<'_, Outcome> {
        #[cfg(test)]
        self.transactions
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let mut rows = self.rows();
        let event = command.event();
        let is_taken = |rows: &Rows<'_>, id: UploadId, key: &str| {
            rows.get(&id).is_none_or(|row| {
                rows.values().any(|old| {
                    old.id != id
                        && old.owner == row.owner
                        && old.state != RowState::Unfinished
                        && old.path_key == key
                })
            })
        };
        let change = |rows: &mut Rows<'_>,
                      id: UploadId,
                      states: &[RowState],
                      edit: &mut dyn FnMut(&mut Row)| {
            rows.get_mut(&id)
                .filter(|row| states.contains(&row.state))
                .map(edit)
                .map_or(Outcome::NotDone, |()| Outcome::Done)
        };
        let outcome = match command {
            Command::Create { creations, room } => {
                let mut left = None;
                Outcome::Created(
                    creations
                        .into_iter()
                        .map(|creation| create(&mut rows, creation, &room, &mut left))
                        .collect(),
                )
            }
            Command::Touch {
                id,
                expires,
                received,
            } => change(&mut rows, id, &[RowState::Unfinished], &mut |row| {
                row.expires = expires;
                row.received = received;
            }),
            Command::Reserve { id, received, room } => {
                let own = usage(&rows, Some(&room.owner), room.since);
                let left = room.left(own, usage(&rows, None, room.since));
                match rows.get_mut(&id) {
                    Some(row) if row.state == RowState::Unfinished => {
                        match left.reserve(row, received, room.since) {
                            Ok(received) => {
                                row.received = received;
                                Outcome::Done
                            }
                            Err(reason) => Outcome::NoRoom(reason),
                        }
                    }
                    _ => Outcome::NotDone,
                }
            }
            Command::SetSize { id, size } => {
                change(&mut rows, id, &[RowState::Unfinished], &mut |row| {
                    row.size = Some(size);
                })
            }
            Command::Claim {
                id,
                stored_as,
                path_key,
                hash,
                size,
            } => {
                if is_taken(&rows, id, &path_key) {
                    Outcome::NotDone
                } else {
                    change(&mut rows, id, &[RowState::Unfinished], &mut |row| {
                        row.stored_as.clone_from(&stored_as);
                        row.path_key.clone_from(&path_key);
                        row.hash = hash;
                        row.size = Some(size);
                        row.state = RowState::Publishing;
                    })
                }
            }
            Command::Finish { id, finished } => {
                change(&mut rows, id, &[RowState::Publishing], &mut |row| {
                    row.state = RowState::Finished;
                    row.finished = finished;
                    row.expires = u64::MAX;
                })
            }
            Command::Unclaim { id } => change(&mut rows, id, &[RowState::Publishing], &mut |row| {
                row.state = RowState::Unfinished;
            }),
            Command::Hide { id, until, .. } => {
                change(&mut rows, id, &[RowState::Finished], &mut |row| {
                    row.state = RowState::Hidden;
                    row.expires = until;
                })
            }
            Command::Unhide { id, now } => {
                if rows.get(&id).is_some_and(|row| row.expires <= now) {
                    Outcome::NotDone
                } else {
                    change(&mut rows, id, &[RowState::Hidden], &mut |row| {
                        row.state = RowState::Finished;
                        row.expires = u64::MAX;
                    })
                }
            }
            Command::Doom { id, now } => {
                if rows.get(&id).is_some_and(|row| row.expires > now) {
                    Outcome::NotDone
                } else {
                    change(&mut rows, id, &[RowState::Hidden], &mut |row| {
                        row.expires = 0;
                    })
                }
            }
            Command::Move {
                id,
                name,
                from,
                stored_as,
                path_key,
                ..
            } => {
                let has_moved = rows.get(&id).is_some_and(|row| row.stored_as != from);
                if has_moved || is_taken(&rows, id, &path_key) {
                    Outcome::NotDone
                } else {
                    if from != stored_as {
                        lock(&self.old_names).push((id, from));
                    }
                    change(&mut rows, id, &[RowState::Finished], &mut |row| {
                        row.name.clone_from(&name);
                        row.stored_as.clone_from(&stored_as);
                        row.path_key.clone_from(&path_key);
                    })
                }
            }
            Command::NameDropped { id, stored_as } => {
                lock(&self.old_names).retain(|old| *old != (id, stored_as.clone()));
                Outcome::Done
            }
            Command::Checked { id, epoch } => {
                let states = [RowState::Unfinished, RowState::Publishing];
                change(&mut rows, id, &states, &mut |row| row.epoch = epoch)
            }
            Command::Start { boot, epoch } => {
                let boot = Some(boot);
                *lock(&self.mark) = Mark { boot, epoch };
                Outcome::Done
            }
            Command::Stop => {
                lock(&self.mark).boot = None;
                Outcome::Done
            }
            Command::Lost { id, from } => {
                let is_it = |row: &Row| row.state == RowState::Finished && row.stored_as == from;
                done(rows.get(&id).is_some_and(is_it) && rows.remove(&id).is_some())
            }
            Command::Remove { id } => done(rows.remove(&id).is_some()),
            Command::Delivered { number } => done(lock(&self.outbox).remove(number)),
            Command::Postpone { number, due } => done(lock(&self.outbox).postpone(number, due)),
            Command::AddToken { token, now } => {
                let mut tokens = lock(&self.tokens);
                tokens.retain(|old| old.expires > now);
                let of_upload = tokens.iter().filter(|old| old.upload == token.upload);
                let fits = of_upload.count() < token::MOST && rows.contains_key(&token.upload);
                if fits {
                    tokens.push(token);
                }
                done(fits)
            }
            Command::RemoveTokens { upload, hash } => {
                let mut tokens = lock(&self.tokens);
                let before = tokens.len();
                tokens.retain(|old| {
                    old.upload != upload || hash.is_some_and(|hash| old.hash != hash)
                });
                Outcome::Removed((before - tokens.len()) as u64)
            }
        };
        if let (Outcome::Done, Some((id, kind, at))) = (&outcome, event)
            && let Some(row) = rows.get(&id)
        {
            lock(&self.outbox).add(row, kind, at);
        }
        lock(&self.tokens).retain(|token| rows.contains_key(&token.upload));
        Self::now(outcome)
    }

    fn get(&self, ids: Vec<UploadId>) -> Answer<'_, Vec<Row>> {
        let rows = self.rows();
        Self::now(ids.iter().filter_map(|id| rows.get(id).cloned()).collect())
    }

    fn earlier(&self, row: Row) -> Answer<'_, Option<Row>> {
        Self::now(earlier(&self.rows(), &row))
    }

    fn list(&self, owner: Owner, after: Option<After>, limit: u32) -> Answer<'_, Vec<Row>> {
        let rows = self.rows();
        let mut found: Vec<Row> = rows
            .values()
            .filter(|row| row.owner == owner && row.state != RowState::Hidden)
            .cloned()
            .collect();
        found.sort_by_key(list_key);
        if let Some(after) = after {
            let key = (after.finished, std::cmp::Reverse(after.time), after.id);
            found.retain(|row| list_key(row) > key);
        }
        found.truncate(limit as usize);
        Self::now(found)
    }

    fn counts(&self, owner: Owner) -> Answer<'_, ListCounts> {
        let rows = self.rows();
        let mut counts = ListCounts::default();
        for row in rows.values().filter(|row| row.owner == owner) {
            match row.state {
                RowState::Unfinished | RowState::Publishing => counts.unfinished += 1,
                RowState::Finished => {
                    counts.finished += 1;
                    counts.finished_bytes += row.size.unwrap_or(0);
                }
                RowState::Hidden => {}
            }
        }
        Self::now(counts)
    }

    fn usage(&self, owner: Option<Owner>, since: u64) -> Answer<'_, Usage> {
        Self::now(usage(&self.rows(), owner.as_ref(), since))
    }

    fn expired(&self, now: u64, skip: u32, limit: u32) -> Answer<'_, Vec<Row>> {
        let rows = self.rows();
        let over = |row: &&Row| {
            matches!(row.state, RowState::Unfinished | RowState::Hidden) && row.expires <= now
        };
        Self::now(
            rows.values()
                .filter(over)
                .skip(skip as usize)
                .take(limit as usize)
                .cloned()
                .collect(),
        )
    }

    fn taken(&self, owner: Owner, but: UploadId, keys: Vec<String>) -> Answer<'_, Vec<String>> {
        let rows = self.rows();
        let is_it = |row: &&Row| {
            row.owner == owner
                && row.id != but
                && row.state != RowState::Unfinished
                && keys.contains(&row.path_key)
        };
        let taken = rows.values().filter(is_it);
        Self::now(taken.map(|row| row.path_key.clone()).collect())
    }

    fn publishing(&self) -> Answer<'_, Vec<Row>> {
        let rows = self.rows();
        Self::now(
            rows.values()
                .filter(|row| row.state == RowState::Publishing)
                .cloned()
                .collect(),
        )
    }

    fn old_names(&self) -> Answer<'_, Vec<(UploadId, String)>> {
        Self::now(lock(&self.old_names).clone())
    }

    fn events(&self, subscriber: String, limit: u32) -> Answer<'_, Vec<Event>> {
        Self::now(lock(&self.outbox).heads(&subscriber, limit))
    }

    fn token(&self, hash: [u8; 32]) -> Answer<'_, Option<(TokenRow, Row)>> {
        let rows = self.rows();
        let tokens = lock(&self.tokens);
        let found = tokens.iter().find(|token| token.hash == hash);
        Self::now(found.and_then(|token| Some((token.clone(), rows.get(&token.upload)?.clone()))))
    }

    fn mark(&self) -> Answer<'_, Mark> {
        Self::now(lock(&self.mark).clone())
    }

    fn close(&self) -> Answer<'_, ()> {
        Self::now(())
    }
}
