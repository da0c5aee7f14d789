//! Requests: what goes out, and which answers are ours.

pub(crate) mod deletes;
mod xhr;

use hoist_engine::Failure;
use hoist_protocol::ErrorBody;
use js_sys::Array;
use serde::de::DeserializeOwned;

use crate::{json, options::UploaderOptions};

pub(crate) use xhr::{Call, Payload, close_idle_sockets, pack_blob, pack_form};

/// The host page's headers, as pairs of name and value.
fn headers(options: &UploaderOptions) -> Array {
    let pair = |(name, value): &(String, String)| Array::of2(&name.into(), &value.into());
    options.headers.iter().map(pair).collect()
}

/// What came back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    /// The status; 0 if the connection broke.
    pub(crate) status: u16,
    /// The header `Retry-After`.
    pub(crate) retry_after: Option<String>,
    /// The body.
    pub(crate) text: String,
}

impl Answer {
    /// An answer is ours if it is the JSON we expect, or an error with a code we know; all else is
    /// some proxy's.
    pub(crate) fn decode<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        if self.status == 0 {
            return Err(Failure::NoAnswer);
        }
        if (200..300).contains(&self.status)
            && let Ok(value) = json::from_slice(self.text.as_bytes())
        {
            return Ok(value);
        }
        if let Ok(mut body) = json::from_slice::<ErrorBody>(self.text.as_bytes()) {
            body.retry_after_ms = body.retry_after_ms.or(self.retry_after_ms());
            return Err(Failure::Refused(body));
        }
        Err(Failure::Foreign {
            status: self.status,
            retry_after_ms: self.retry_after_ms(),
        })
    }

    /// Seconds only: a date would be by another clock.
    fn retry_after_ms(&self) -> Option<u64> {
        let seconds: u64 = self.retry_after.as_deref()?.trim().parse().ok()?;
        Some(seconds.saturating_mul(1000))
    }
}

#[cfg(test)]
mod tests {
    use hoist_protocol::{DeleteResponse, ErrorCode};

    use super::*;

    fn answer(status: u16, text: &str, retry_after: Option<&str>) -> Answer {
        Answer {
            status,
            retry_after: retry_after.map(str::to_owned),
            text: text.to_owned(),
        }
    }

    #[test]
    fn only_json_of_ours_is_ours() {
        let ours = answer(200, r#"{"results":[]}"#, None);
        assert_eq!(ours.decode(), Ok(DeleteResponse { results: vec![] }));
        for (foreign, status) in [
            (answer(502, "<html>Bad Gateway</html>", None), 502),
            (
                answer(
                    200,
                    "<html>Please sign in to the hotel's network</html>",
                    None,
                ),
                200,
            ),
            (
                answer(413, r#"{"code":"hotel_code","message":"no"}"#, None),
                413,
            ),
            (answer(403, r#"{"error":"blocked"}"#, None), 403),
        ] {
            let expected = Failure::Foreign {
                status,
                retry_after_ms: None,
            };
            assert_eq!(foreign.decode::<DeleteResponse>(), Err(expected));
        }
        assert_eq!(
            answer(0, "", None).decode::<DeleteResponse>(),
            Err(Failure::NoAnswer)
        );
    }

    #[test]
    fn a_refusal_of_ours_keeps_its_code_and_takes_the_header_if_it_names_no_time() {
        let text = r#"{"code":"rate_limited","message":"slow down"}"#;
        let Err(Failure::Refused(body)) = answer(429, text, Some("3")).decode::<DeleteResponse>()
        else {
            panic!("it is ours");
        };
        assert_eq!(
            (body.code, body.retry_after_ms),
            (ErrorCode::RateLimited, Some(3000))
        );
        let text = r#"{"code":"rate_limited","message":"slow down","retry_after_ms":70}"#;
        let Err(Failure::Refused(body)) = answer(429, text, Some("3")).decode::<DeleteResponse>()
        else {
            panic!("it is ours");
        };
        assert_eq!(body.retry_after_ms, Some(70));
        let dated = answer(503, "", Some("Wed, 21 Oct 2026 07:28:00 GMT"));
        let expected = Failure::Foreign {
            status: 503,
            retry_after_ms: None,
        };
        assert_eq!(dated.decode::<DeleteResponse>(), Err(expected));
    }
}
