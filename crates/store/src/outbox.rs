//! What others are told of finished files: written down with the change itself, and kept until they
//! have it.

use hoist_protocol::{Millis, Receipt};
use tokio::sync::watch;

use crate::{
    Owner, Store, StoreError,
    catalog::{Command, Outcome},
};

/// What happened to a finished file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventKind {
    /// It was published: all bytes are there, under its name. Once for each upload.
    Finished,
    /// Its owner deleted it; it can be restored for a while.
    Deleted,
    /// Its owner took that back.
    Restored,
    /// It has another name.
    Renamed,
}

impl EventKind {
    /// Its name on the wire and in the catalog.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Deleted => "deleted",
            Self::Restored => "restored",
            Self::Renamed => "renamed",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Finished, Self::Deleted, Self::Restored, Self::Renamed]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// Something that a subscriber is to be told.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Event {
    /// Its number in this store: the same each time it is delivered, and never another's.
    pub number: u64,
    /// What happened.
    pub kind: EventKind,
    /// When.
    pub at: Millis,
    /// Whose file it is.
    pub owner: Owner,
    /// The file, as it was then.
    pub receipt: Receipt,
    /// When it is to be tried next; 0 if it was not tried yet.
    pub due: u64,
    /// How often it was tried in vain.
    pub tries: u32,
}

impl Event {
    pub(crate) const fn new(
        number: u64,
        kind: EventKind,
        at: u64,
        owner: Owner,
        receipt: Receipt,
    ) -> Self {
        Self {
            number,
            kind,
            at: Millis(at),
            owner,
            receipt,
            due: 0,
            tries: 0,
        }
    }
}

impl Store {
    /// What one of [`crate::StoreConfig::subscribers`] is to be told next: of each upload the oldest
    /// event that it has not got, the first due first, at most `limit`.
    ///
    /// An event is written down in the same transaction as what it tells of, so that neither is ever
    /// there without the other, and stays until [`Store::delivered`]. Whoever tells it and dies tells it
    /// again: it arrives at least once.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] once the store is closed, [`StoreError::Catalog`] if it cannot be read.
    ///
    /// # Examples
    ///
    /// ```
    /// # use hoist_protocol::{Millis, NewFile};
    /// # use hoist_store::{EventKind, Owner, Party, Store, StoreConfig};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let subscribers = vec!["thumbnails".to_owned()];
    /// let store = Store::memory(StoreConfig { subscribers, ..StoreConfig::default() });
    /// let empty = NewFile { name: "empty.txt".into(), size: Some(0), ..NewFile::default() };
    /// store.create(Millis(7), &Party::known(Owner::shared()), &[empty]).await?;
    ///
    /// let events = store.events("thumbnails", 10).await?;
    /// assert_eq!((events[0].kind, events[0].at), (EventKind::Finished, Millis(7)));
    /// store.delivered(&events[0]).await?;
    /// assert!(store.events("thumbnails", 10).await?.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn events(&self, subscriber: &str, limit: u32) -> Result<Vec<Event>, StoreError> {
        self.shared.check_open()?;
        self.shared
            .catalog
            .events(subscriber.to_owned(), limit)
            .await
    }

    /// Forgets an event that its subscriber has got.
    ///
    /// # Errors
    ///
    /// [`StoreError::Catalog`] if the catalog cannot be written; the event comes again.
    pub async fn delivered(&self, event: &Event) -> Result<(), StoreError> {
        let number = event.number;
        self.shared
            .catalog
            .apply(Command::Delivered { number })
            .await?;
        Ok(())
    }

    /// Notes that an event could not be delivered, and is to be tried again at `due`; later events of
    /// the same upload wait for it.
    ///
    /// # Errors
    ///
    /// As [`Store::delivered`].
    pub async fn postpone(&self, event: &Event, due: Millis) -> Result<(), StoreError> {
        let (number, due) = (event.number, due.0);
        self.shared
            .catalog
            .apply(Command::Postpone { number, due })
            .await?;
        Ok(())
    }

    /// Changes when there are new events, and when the store closes.
    #[must_use]
    pub fn news(&self) -> watch::Receiver<()> {
        self.shared.news.subscribe()
    }
}

impl crate::store::Shared {
    /// Does a change that subscribers may be told of.
    pub(crate) async fn apply_event(&self, command: Command) -> Result<Outcome, StoreError> {
        let outcome = self.catalog.apply(command).await?;
        if let Outcome::Done = outcome {
            self.news.send_replace(());
        }
        Ok(outcome)
    }
}
