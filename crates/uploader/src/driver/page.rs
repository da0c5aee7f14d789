//! What the page around the uploader says and is told: network, leaving.

use std::rc::Weak;

use hoist_engine::Event;
use hoist_protocol::PauseReason;

use super::Driver;
use crate::{
    Overview,
    browser::{self, Listener},
    words,
};

impl Driver {
    pub(super) fn listen(&self) {
        let Some(window) = browser::window() else {
            return;
        };
        let mut listeners = self.listeners.borrow_mut();
        // A server on the same machine needs no network; the browser's word is for all others.
        let is_local = browser::is_local(&self.options.endpoint);
        for (kind, online) in [("online", true), ("offline", false)] {
            let me = Weak::clone(&self.me);
            listeners.push(Listener::new(&window, kind, move |_| {
                if let Some(driver) = me.upgrade()
                    && (online || !is_local)
                {
                    driver.feed(Event::Network { online });
                }
            }));
        }
        let me = Weak::clone(&self.me);
        listeners.push(Listener::new(&window, "visibilitychange", move |_| {
            // Whoever comes back, perhaps after the laptop has slept, does not wait for the next turn.
            if let Some(driver) = me.upgrade()
                && driver.is_unanswered()
                && browser::is_seen()
            {
                driver.feed(Event::TryNow);
            }
        }));
        let me = Weak::clone(&self.me);
        listeners.push(Listener::new(&window, "pagehide", move |_| {
            if let Some(driver) = me.upgrade() {
                driver.tell_deletes_again();
            }
        }));
        drop(listeners);
        if !is_local && !browser::is_online() {
            self.feed(Event::Network { online: false });
        }
    }

    fn is_unanswered(&self) -> bool {
        // Not what is drawn: nothing is, while nobody looks.
        words::is_unanswered(&Overview::of(self.engine.borrow().snapshot()))
    }

    /// Asks before the page is left while bytes travel, and only then: a listener that is always
    /// there keeps pages out of the back/forward cache.
    pub(super) fn guard_leaving(&self) {
        let wanted = {
            let engine = self.engine.borrow();
            let snapshot = engine.snapshot();
            snapshot.totals.unsettled > 0
                && (snapshot.paused != Some(PauseReason::ByPerson) || snapshot.some_go_on)
        };
        let mut guard = self.leave_guard.borrow_mut();
        if wanted && guard.is_none() {
            *guard = browser::window().map(|window| {
                Listener::new(&window, "beforeunload", |event| event.prevent_default())
            });
        } else if !wanted {
            *guard = None;
        }
    }
}
