//! Which changes are events, and the outbox of the catalog in memory.

use hoist_protocol::UploadId;

use super::{Command, Row};
use crate::{Event, EventKind};

impl Command {
    /// What subscribers are told if this was done: of which upload, what, and when it happened.
    pub(super) const fn event(&self) -> Option<(UploadId, EventKind, u64)> {
        match self {
            Self::Finish { id, finished } => Some((*id, EventKind::Finished, *finished)),
            Self::Hide { id, now, .. } => Some((*id, EventKind::Deleted, *now)),
            Self::Unhide { id, now } => Some((*id, EventKind::Restored, *now)),
            Self::Move { id, now, .. } => Some((*id, EventKind::Renamed, *now)),
            _ => None,
        }
    }
}

/// Events that were not delivered, by subscriber.
#[derive(Debug, Default)]
pub(super) struct MemoryOutbox {
    pub(super) subscribers: Vec<String>,
    last: u64,
    waiting: Vec<(String, Event)>,
}

impl MemoryOutbox {
    pub(super) fn add(&mut self, row: &Row, kind: EventKind, at: u64) {
        for subscriber in &self.subscribers {
            self.last += 1;
            let event = Event::new(self.last, kind, at, row.owner.clone(), row.receipt());
            self.waiting.push((subscriber.clone(), event));
        }
    }

    pub(super) fn remove(&mut self, number: u64) -> bool {
        let before = self.waiting.len();
        self.waiting.retain(|(_, event)| event.number != number);
        self.waiting.len() < before
    }

    pub(super) fn postpone(&mut self, number: u64, due: u64) -> bool {
        let found = self.waiting.iter_mut();
        let found = found
            .map(|(_, event)| event)
            .find(|event| event.number == number);
        found.is_some_and(|event| {
            event.due = due;
            event.tries += 1;
            true
        })
    }

    pub(super) fn heads(&self, subscriber: &str, limit: u32) -> Vec<Event> {
        let mut heads: Vec<Event> = Vec::new();
        for (of, event) in &self.waiting {
            let is_first = heads.iter().all(|head| head.receipt.id != event.receipt.id);
            if of == subscriber && is_first {
                heads.push(event.clone());
            }
        }
        heads.sort_by_key(|event| (event.due, event.number));
        heads.truncate(limit as usize);
        heads
    }
}
