//! The catalog: which uploads and files there are. It does not know chunks.
//!
//! Nothing above this trait may assume SQLite: a PostgreSQL catalog is to follow, so that several
//! servers share one. All changes go through [`Catalog::apply`], which makes each command one
//! indivisible step and returns only when the step is as durable as the store promises.

mod memory;
mod outbox;
mod room;
mod row;
mod sqlite;
mod token;

use std::{future::Future, pin::Pin};

use hoist_protocol::{Checksum, ListCounts, UploadId};

use crate::{Event, Owner, StoreError};

pub(crate) use memory::MemoryCatalog;
pub(crate) use room::{Left, NoRoom, Room};
pub(crate) use row::{Row, RowState};
pub(crate) use sqlite::{CatalogLook, SqliteCatalog};
pub(crate) use token::{MOST as TOKENS, TokenRow};

pub(crate) type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// One indivisible change.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    /// Adds uploads as far as there is room; for each, finds an earlier one of the same identity
    /// instead if asked.
    Create {
        creations: Vec<Creation>,
        room: Room,
    },
    /// Notes that bytes have come: moves the time at which an unfinished upload expires.
    Touch {
        id: UploadId,
        expires: u64,
        received: u64,
    },
    /// Makes room for an upload before its bytes come: again for all of one whose reservation has
    /// lapsed, or for `received` bytes in all of one without a size.
    Reserve {
        id: UploadId,
        received: u64,
        room: Room,
    },
    /// Tells the size of an upload that was created without.
    SetSize { id: UploadId, size: u64 },
    /// Claims a place for a file that is about to be published there.
    Claim {
        id: UploadId,
        stored_as: String,
        path_key: String,
        hash: Option<Checksum>,
        size: u64,
    },
    /// The file lies where it was claimed.
    Finish { id: UploadId, finished: u64 },
    /// Gives a claimed place back; the upload is unfinished again.
    Unclaim { id: UploadId },
    /// Hides a finished file until it is removed.
    Hide { id: UploadId, now: u64, until: u64 },
    /// Takes that back, if it is not too late.
    Unhide { id: UploadId, now: u64 },
    /// Begins to remove a hidden file whose time is over: from here on nobody takes it back.
    Doom { id: UploadId, now: u64 },
    /// Gives a finished file that lies at `from` another place, and keeps the old one in mind until
    /// [`Command::NameDropped`].
    Move {
        id: UploadId,
        now: u64,
        name: String,
        from: String,
        stored_as: String,
        path_key: String,
    },
    /// The old name of a renamed file is gone.
    NameDropped { id: UploadId, stored_as: String },
    /// What is there of an unfinished upload was checked after the machine had died.
    Checked { id: UploadId, epoch: u64 },
    /// A process begins to work here, in this boot of the machine …
    Start { boot: String, epoch: u64 },
    /// … and has ended well.
    Stop,
    /// Forgets a finished file that is not at `from` any more, if that is still its place.
    Lost { id: UploadId, from: String },
    /// Forgets an upload or file.
    Remove { id: UploadId },
    /// A subscriber has the event of this number.
    Delivered { number: u64 },
    /// It could not be delivered; it is tried again at `due`.
    Postpone { number: u64, due: u64 },
    /// Lets the bearer of a token at an upload, unless it has [`token::MOST`]; forgets all tokens that
    /// had expired by `now`.
    AddToken { token: TokenRow, now: u64 },
    /// Revokes one token of an upload, or all.
    RemoveTokens {
        upload: UploadId,
        hash: Option<[u8; 32]>,
    },
}

/// One upload of [`Command::Create`].
#[derive(Clone, Debug)]
pub(crate) struct Creation {
    /// The new row.
    pub(crate) row: Row,
    /// Whether an earlier one of the same identity is wanted instead.
    pub(crate) finds_earlier: bool,
    /// Whether nothing is to be added if a finished file has this key.
    pub(crate) asks: bool,
}

/// What became of one [`Creation`].
#[derive(Clone, Debug)]
pub(crate) enum Found {
    /// It was added.
    Added,
    /// There is an earlier one of the same identity.
    Earlier(Row),
    /// Another finished file has the path.
    Conflict(Row),
    /// It was not added.
    NoRoom(NoRoom),
}

/// What became of a command.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// It is done.
    Done,
    /// It was not: the row is gone or in another state, or the place is taken.
    NotDone,
    /// Answer to [`Command::Reserve`]: there is not enough.
    NoRoom(NoRoom),
    /// Answer to [`Command::Create`].
    Created(Vec<Found>),
    /// Answer to [`Command::RemoveTokens`]: how many there were.
    Removed(u64),
}

/// Where a list begins: behind this row in the order of the list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct After {
    pub(crate) finished: bool,
    pub(crate) time: u64,
    pub(crate) id: UploadId,
}

impl After {
    /// Behind all that are unfinished, before the newest file.
    pub(crate) const UNFINISHED: Self = Self {
        finished: true,
        time: u64::MAX,
        id: UploadId::from_bytes([0; 16]),
    };
}

/// Which uploads and files there are.
pub(crate) trait Catalog: Send + Sync + std::fmt::Debug {
    /// Does one indivisible change.
    fn apply(&self, command: Command) -> Answer<'_, Outcome>;
    /// Does one change after the other, each by itself; at the price of about one where that can be.
    fn apply_all(&self, commands: Vec<Command>) -> Answer<'_, Vec<Outcome>> {
        Box::pin(async move {
            let mut outcomes = Vec::with_capacity(commands.len());
            for command in commands {
                outcomes.push(self.apply(command).await?);
            }
            Ok(outcomes)
        })
    }
    /// The rows with these ids, those that are there, in any order.
    fn get(&self, ids: Vec<UploadId>) -> Answer<'_, Vec<Row>>;
    /// The upload or file of the same identity as `row`, which need not be there itself: the same
    /// that [`Command::Create`] would find.
    fn earlier(&self, row: Row) -> Answer<'_, Option<Row>>;
    /// An owner's rows: unfinished first, newest first; hidden ones left out.
    fn list(&self, owner: Owner, after: Option<After>, limit: u32) -> Answer<'_, Vec<Row>>;
    /// How many rows an owner has.
    fn counts(&self, owner: Owner) -> Answer<'_, ListCounts>;
    /// Bytes an owner (or everybody) has: of finished files, and of unfinished ones that have
    /// bytes or were created after `since`.
    fn usage(&self, owner: Option<Owner>, since: u64) -> Answer<'_, Usage>;
    /// At most `limit` rows whose time is over, but for the first `skip`; always in one order.
    fn expired(&self, now: u64, skip: u32, limit: u32) -> Answer<'_, Vec<Row>>;
    /// Which of these keys are taken by an owner's files, or those about to be, other than `but`.
    fn taken(&self, owner: Owner, but: UploadId, keys: Vec<String>) -> Answer<'_, Vec<String>>;
    /// Rows that were being published when the process ended.
    fn publishing(&self) -> Answer<'_, Vec<Row>>;
    /// Names of renamed files that were not dropped when the process ended.
    fn old_names(&self) -> Answer<'_, Vec<(UploadId, String)>>;
    /// What a subscriber is to be told: of each upload the oldest event that it has not got, the
    /// first due first.
    fn events(&self, subscriber: String, limit: u32) -> Answer<'_, Vec<Event>>;
    /// The token with this hash, and the upload it is for.
    fn token(&self, hash: [u8; 32]) -> Answer<'_, Option<(TokenRow, Row)>>;
    /// What the last process left.
    fn mark(&self) -> Answer<'_, Mark>;
    /// How many transactions there were, for tests.
    #[cfg(test)]
    fn transactions(&self) -> u64;
    /// Ends all work.
    fn close(&self) -> Answer<'_, ()>;
}

/// How the last process ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The boot of the machine in which it ran, if it has not ended well.
    pub(crate) boot: Option<String>,
    /// How often the machine has died under one; see [`Row::epoch`].
    pub(crate) epoch: u64,
}

/// Bytes in use, and how many unfinished uploads there are.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    pub(crate) finished_bytes: u64,
    /// Finished files and folders, without hidden ones.
    pub(crate) finished: u64,
    /// Of unfinished uploads whose reservation counts: their whole size, or what has come if that is
    /// not known …
    pub(crate) unfinished_bytes: u64,
    /// … and what of it had not come when they were last touched …
    pub(crate) missing_bytes: u64,
    /// … as far as a byte of them had.
    pub(crate) missing_of_begun: u64,
    pub(crate) unfinished: u64,
}
