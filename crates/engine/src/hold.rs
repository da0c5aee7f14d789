//! What holds the whole queue. The reasons are independent: each has its own way out, and none
//! overrules another.

use hoist_protocol::{Millis, PauseReason};

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Holds {
    pub(crate) is_offline: bool,
    pub(crate) sign_in: bool,
    full_until: Option<Millis>,
    rate_until: Option<Millis>,
}

impl Holds {
    /// Begins or prolongs a hold.
    pub(crate) fn hold(&mut self, reason: PauseReason, until: Millis) {
        let later = |old: Option<Millis>| Some(old.map_or(until, |old| old.max(until)));
        match reason {
            PauseReason::SignIn => self.sign_in = true,
            PauseReason::Offline => self.is_offline = true,
            PauseReason::DiskFull => self.full_until = later(self.full_until),
            PauseReason::RateLimited => self.rate_until = later(self.rate_until),
            // The person's pause is not kept here, and a stall concerns one request.
            _ => {}
        }
    }

    /// Ends what is over.
    pub(crate) fn expire(&mut self, now: Millis) {
        for until in [&mut self.full_until, &mut self.rate_until] {
            if until.is_some_and(|until| until <= now) {
                *until = None;
            }
        }
    }

    /// Whether the server may be talked to at all.
    pub(crate) const fn may_talk(&self) -> bool {
        !self.is_offline && !self.sign_in && self.rate_until.is_none()
    }

    /// Whether it may be given something to store.
    pub(crate) const fn may_store(&self) -> bool {
        self.may_talk() && self.full_until.is_none()
    }

    /// The reason to show, the most serious first.
    pub(crate) const fn reason(&self) -> Option<PauseReason> {
        if self.sign_in {
            Some(PauseReason::SignIn)
        } else if self.is_offline {
            Some(PauseReason::Offline)
        } else if self.full_until.is_some() {
            Some(PauseReason::DiskFull)
        } else if self.rate_until.is_some() {
            Some(PauseReason::RateLimited)
        } else {
            None
        }
    }

    /// When one ends by itself.
    pub(crate) fn until(&self) -> Option<Millis> {
        [self.full_until, self.rate_until]
            .into_iter()
            .flatten()
            .min()
    }

    /// The person wants it tried now.
    ///
    /// Also without a network, as the browser says: it may know nothing of this one, and the first
    /// request will tell.
    pub(crate) const fn end_waits(&mut self) {
        self.is_offline = false;
        self.full_until = None;
        self.rate_until = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_ends_by_itself_alone() {
        let mut holds = Holds::default();
        assert!(holds.may_store());
        holds.hold(PauseReason::DiskFull, Millis(50));
        assert!(holds.may_talk() && !holds.may_store());
        holds.hold(PauseReason::RateLimited, Millis(100));
        holds.hold(PauseReason::RateLimited, Millis(80));
        holds.hold(PauseReason::Offline, Millis(0));
        assert_eq!(holds.reason(), Some(PauseReason::Offline));
        holds.is_offline = false;
        assert_eq!(holds.until(), Some(Millis(50)));
        holds.expire(Millis(80));
        assert_eq!(holds.reason(), Some(PauseReason::RateLimited));
        assert!(!holds.may_talk());
        holds.expire(Millis(100));
        assert_eq!(holds.reason(), None);
        assert!(holds.may_store());
    }
}
