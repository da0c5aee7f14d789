//! What the page around the uploader says and is told: network, leaving.

use std::rc::Weak;

use hoist_engine::Event;
use hoist_protocol::PauseReason;

use super::Driver;
use crate::browser::{self, Listener};

impl Driver {
    pub(super) fn listen(&self) {
        let Some(window) = browser::window() else {
            return;
        };
        let mut listeners = self.listeners.borrow_mut();
        // A server on the same machine needs no network; the browser's word is for all others.
        let is_local = self.options.endpoint.starts_with('/')
            && window
                .location()
                .hostname()
                .is_ok_and(|host| is_loopback(&host));
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
        listeners.push(Listener::new(&window, "pagehide", move |_| {
            if let Some(driver) = me.upgrade() {
                driver.tell_deletes_again();
            }
        }));
        drop(listeners);
        if !is_local && !window.navigator().on_line() {
            self.feed(Event::Network { online: false });
        }
    }

    /// Asks before the page is left while bytes travel, and only then: a listener that is always
    /// there keeps pages out of the back/forward cache.
    pub(super) fn guard_leaving(&self) {
        let wanted = {
            let engine = self.engine.borrow();
            let snapshot = engine.snapshot();
            snapshot.totals.unsettled > 0 && snapshot.paused != Some(PauseReason::ByPerson)
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

/// Safari, and every browser on an iPhone: WebKit without Chromium's own name.
pub(super) fn is_safari() -> bool {
    browser::window()
        .and_then(|window| window.navigator().user_agent().ok())
        .is_some_and(|agent| is_webkit(&agent))
}

fn is_webkit(agent: &str) -> bool {
    agent.contains("AppleWebKit")
        && !["Chrome/", "Chromium/", "Android"]
            .iter()
            .any(|other| agent.contains(other))
}

/// Whether a host is this machine.
fn is_loopback(host: &str) -> bool {
    let is_v4 = host
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    host == "localhost"
        || host.ends_with(".localhost")
        || host == "[::1]"
        || is_v4 && host.starts_with("127.")
}

#[cfg(test)]
mod tests {
    use super::{is_loopback, is_webkit};

    #[test]
    fn every_browser_on_webkit_is_told_from_those_that_only_say_so() {
        for (agent, is) in [
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15",
                true,
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/130.0 Mobile/15E148 Safari/604.1",
                true,
            ),
            (
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
                false,
            ),
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0",
                false,
            ),
        ] {
            assert_eq!(is_webkit(agent), is, "{agent}");
        }
    }

    #[test]
    fn only_this_machine_is_loopback() {
        for host in [
            "localhost",
            "a.localhost",
            "127.0.0.1",
            "127.8.8.8",
            "[::1]",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "example.com",
            "localhost.example",
            "127.example.com",
            "10.127.0.1",
            "[::2]",
            "",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
