//! What to do about a failure, and when to try again.

use hoist_protocol::{ErrorBody, ErrorClass, ErrorCode, Millis, PauseReason};

use crate::{Failure, RetryPolicy, rng::Rng, words};

/// Longest wait a server can ask for: ten minutes, so that a wrong header does not end an upload.
const LONGEST_WAIT_MS: u64 = 600_000;
/// How long to wait for space on the server, if it does not say.
pub(crate) const FULL_WAIT_MS: u64 = 30_000;

/// What the table of error classes says about a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Try again, not before so many milliseconds.
    Retry { after_ms: u64 },
    /// Ask for the status, and go on from the truth.
    Resync,
    /// Hold everything, for so many milliseconds or until somebody says so.
    Pause { reason: PauseReason, after_ms: u64 },
    /// The upload is gone: create it anew, once.
    Recreate,
    /// A proxy refuses: try a smaller pack, then say so.
    Smaller { status: u16 },
    /// No answer: find out whether the file can be read, then ask for the status.
    Probe,
    /// Never again.
    GiveUp {
        code: Option<ErrorCode>,
        words: String,
    },
}

/// Judges the failure of a whole request.
pub(crate) fn classify(failure: &Failure) -> Verdict {
    match failure {
        Failure::NoAnswer => Verdict::Probe,
        Failure::Refused(body) => classify_body(body),
        Failure::Foreign {
            status,
            retry_after_ms,
        } => {
            let after_ms = retry_after_ms.unwrap_or(0).min(LONGEST_WAIT_MS);
            match *status {
                429 => Verdict::Pause {
                    reason: PauseReason::RateLimited,
                    after_ms: after_ms.max(1000),
                },
                status @ (413 | 502 | 504) => Verdict::Smaller { status },
                408 | 425 | 500..=599 => Verdict::Retry { after_ms },
                status @ 400..=499 => Verdict::GiveUp {
                    code: None,
                    words: words::of_stranger(status),
                },
                // A 200 that is no answer of ours, a redirect that was not followed: somebody's
                // sign-in page, most likely, or a proxy in trouble. It may pass.
                _ => Verdict::Retry {
                    after_ms: after_ms.max(1000),
                },
            }
        }
    }
}

/// Judges our server's own refusal, of a request or of one thing in it.
pub(crate) fn classify_body(body: &ErrorBody) -> Verdict {
    let after_ms = body.retry_after_ms.unwrap_or(0).min(LONGEST_WAIT_MS);
    match body.code.class() {
        ErrorClass::Refused => Verdict::GiveUp {
            code: Some(body.code),
            words: words::of_server(&body.message),
        },
        ErrorClass::SignIn => Verdict::Pause {
            reason: PauseReason::SignIn,
            after_ms: 0,
        },
        ErrorClass::Gone => Verdict::Recreate,
        ErrorClass::Resync => Verdict::Resync,
        ErrorClass::Wait if body.code == ErrorCode::RateLimited => Verdict::Pause {
            reason: PauseReason::RateLimited,
            after_ms: after_ms.max(1000),
        },
        ErrorClass::Wait => Verdict::Retry { after_ms },
        ErrorClass::Full => Verdict::Pause {
            reason: PauseReason::DiskFull,
            after_ms: after_ms.max(FULL_WAIT_MS),
        },
    }
}

/// Whether a refusal may be about one thing in the request, so that the rest can pass without it.
/// Some proxies refuse a request for the look of one name in it.
pub(crate) const fn is_about_content(failure: &Failure) -> bool {
    match failure {
        Failure::NoAnswer => false,
        Failure::Refused(body) => !matches!(
            body.code,
            ErrorCode::Forbidden | ErrorCode::NotSupported | ErrorCode::NotFound
        ),
        Failure::Foreign { status, .. } => !matches!(status, 401 | 404 | 405 | 407),
    }
}

/// A wait that doubles with each failure, full of jitter.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
    until: Option<Millis>,
}

impl Backoff {
    /// Something failed: nothing more before the wait is over.
    pub(crate) fn fail(&mut self, now: Millis, policy: RetryPolicy, rng: &mut Rng, after_ms: u64) {
        let until = now.plus(delay(self.failures, policy, rng, after_ms));
        self.failures = self.failures.saturating_add(1);
        // Several requests that fail at once are one failure of the line; the longest wait holds.
        self.until = Some(self.until.map_or(until, |earlier| earlier.max(until)));
    }

    /// Something arrived: the next failure is the first one again.
    pub(crate) const fn succeed(&mut self) {
        self.failures = 0;
    }

    /// Ends the wait, because there is reason to think that it is over.
    pub(crate) const fn end(&mut self) {
        self.failures = 0;
        self.until = None;
    }

    /// Whether nothing has to be waited for.
    pub(crate) fn is_over(&mut self, now: Millis) -> bool {
        if self.until.is_some_and(|until| until <= now) {
            self.until = None;
        }
        self.until.is_none()
    }

    pub(crate) const fn until(&self) -> Option<Millis> {
        self.until
    }

    /// Whether it failed more than once in a row: worth a word to the person.
    pub(crate) const fn is_failing(&self) -> bool {
        self.failures > 1
    }
}

/// How long to wait after so many failures in a row: at least `after_ms`, and jitter on top.
pub(crate) fn delay(failures: u32, policy: RetryPolicy, rng: &mut Rng, after_ms: u64) -> u64 {
    /// Jitter may be zero; a request that fails at once must not become a hot loop.
    const SHORTEST_MS: u64 = 20;
    let most = policy
        .first_delay_ms
        .saturating_mul(1u64.checked_shl(failures.min(40)).unwrap_or(u64::MAX))
        .min(policy.max_delay_ms);
    after_ms.saturating_add(rng.up_to(most)).max(SHORTEST_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(code: ErrorCode, retry_after_ms: Option<u64>) -> ErrorBody {
        ErrorBody {
            code,
            message: "words".to_owned(),
            retry_after_ms,
        }
    }

    #[test]
    fn every_code_gets_the_verdict_of_its_class() {
        for &code in ErrorCode::ALL {
            let verdict = classify_body(&body(code, Some(7)));
            match code.class() {
                ErrorClass::Refused => assert_eq!(
                    verdict,
                    Verdict::GiveUp {
                        code: Some(code),
                        words: "words".to_owned()
                    }
                ),
                ErrorClass::SignIn => assert_eq!(
                    verdict,
                    Verdict::Pause {
                        reason: PauseReason::SignIn,
                        after_ms: 0
                    }
                ),
                ErrorClass::Gone => assert_eq!(verdict, Verdict::Recreate),
                ErrorClass::Resync => assert_eq!(verdict, Verdict::Resync),
                ErrorClass::Wait if code == ErrorCode::RateLimited => assert_eq!(
                    verdict,
                    Verdict::Pause {
                        reason: PauseReason::RateLimited,
                        after_ms: 1000
                    }
                ),
                ErrorClass::Wait => assert_eq!(verdict, Verdict::Retry { after_ms: 7 }),
                ErrorClass::Full => assert_eq!(
                    verdict,
                    Verdict::Pause {
                        reason: PauseReason::DiskFull,
                        after_ms: FULL_WAIT_MS
                    }
                ),
            }
        }
    }

    #[test]
    fn a_strangers_answer_goes_by_its_status() {
        let judge = |status| {
            classify(&Failure::Foreign {
                status,
                retry_after_ms: Some(3000),
            })
        };
        for status in [408, 425, 500, 501, 503, 505, 599] {
            assert_eq!(judge(status), Verdict::Retry { after_ms: 3000 }, "{status}");
        }
        for status in [413, 502, 504] {
            assert_eq!(judge(status), Verdict::Smaller { status });
        }
        for status in [400, 401, 403, 404, 405, 415, 422, 431, 499] {
            assert!(
                matches!(judge(status), Verdict::GiveUp { code: None, words } if words.contains(&status.to_string()))
            );
        }
        assert!(matches!(
            judge(429),
            Verdict::Pause {
                reason: PauseReason::RateLimited,
                after_ms: 3000
            }
        ));
        for status in [0, 200, 204, 301, 302, 999] {
            assert!(matches!(judge(status), Verdict::Retry { .. }), "{status}");
        }
        assert_eq!(classify(&Failure::NoAnswer), Verdict::Probe);
    }

    #[test]
    fn a_wait_is_at_least_what_the_server_asked_and_at_most_ten_minutes_more() {
        for ms in [0, 1, 5000, u64::MAX] {
            let Verdict::Retry { after_ms } = classify_body(&body(ErrorCode::Internal, Some(ms)))
            else {
                panic!("internal waits")
            };
            assert_eq!(after_ms, ms.min(LONGEST_WAIT_MS));
        }
    }

    #[test]
    fn waits_double_have_jitter_and_end_with_progress() {
        let policy = RetryPolicy::default();
        let mut rng = Rng::new(3);
        let mut longest = [0; 12];
        for (failures, longest) in (0u32..).zip(&mut longest) {
            let seen: Vec<u64> = (0..400)
                .map(|_| delay(failures, policy, &mut rng, 0))
                .collect();
            let most = (policy.first_delay_ms << failures).min(policy.max_delay_ms);
            *longest = seen.iter().copied().max().unwrap();
            assert!(*longest <= most && *longest > most * 9 / 10);
            assert!(
                *seen.iter().min().unwrap() < most / 5 + 20,
                "jitter reaches down"
            );
        }
        assert!(delay(u32::MAX, policy, &mut rng, 0) <= policy.max_delay_ms);

        let mut backoff = Backoff::default();
        assert!(backoff.is_over(Millis(0)));
        backoff.fail(Millis(0), policy, &mut rng, 5000);
        assert!(!backoff.is_over(Millis(4999)));
        assert!(backoff.is_over(Millis(5500)));
        backoff.fail(Millis(u64::MAX), policy, &mut rng, u64::MAX);
        assert!(backoff.is_over(Millis(u64::MAX)), "saturates");
    }
}
