//! The engine: one event in, any number of actions out.

use std::collections::VecDeque;

use hoist_protocol::Millis;

use crate::{Action, EngineConfig, Event, Snapshot};

/// The state machine of one page's uploads.
#[derive(Debug)]
pub struct Engine {
    snapshot: Snapshot,
    actions: VecDeque<Action>,
}

impl Engine {
    /// An engine without files. `seed` is for the jitter of retries.
    #[must_use]
    pub fn new(config: EngineConfig, seed: u64) -> Self {
        let _ = (config, seed);
        Self {
            snapshot: Snapshot::default(),
            actions: VecDeque::new(),
        }
    }

    /// Feeds one event that happened at `now`. Never fails and never panics; what makes no sense
    /// is ignored.
    pub fn handle(&mut self, now: Millis, event: Event) {
        let _ = (now, event);
    }

    /// Takes the next thing the outside world should do; take them until there is none.
    pub fn next_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When [`Event::Tick`] is wanted, if nothing else happens before.
    #[must_use]
    pub fn deadline(&self) -> Option<Millis> {
        None
    }

    /// What a view may show.
    #[must_use]
    pub const fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }
}
