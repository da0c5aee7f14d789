//! Errors as answers.

use std::{error::Error as StdError, fmt, fmt::Write as _};

use axum::response::{IntoResponse, Response};
use hoist_protocol::{ErrorBody, ErrorClass, ErrorCode};
use hoist_store::StoreError;
use http::{HeaderValue, StatusCode, header};

use crate::answer;

type Source = Box<dyn StdError + Send + Sync>;

/// How long to wait if nobody knows better, in milliseconds.
const RETRY_AFTER_MS: u64 = 1000;

/// A request that failed: a code and words for the client, a cause for the log.
///
/// As an answer it is JSON, `{code, message, retry_after_ms?}`, under the status of its code; it is
/// logged once, when it becomes an answer. The cause never leaves the server.
///
/// ```
/// use hoist_axum::ApiError;
/// use hoist_protocol::ErrorCode;
///
/// // Of your own [`crate::Authorize`]: what a client does then is decided by the code.
/// let error = ApiError::new(ErrorCode::RateLimited, "Not so fast").with_retry_after(5_000);
/// assert_eq!((error.code(), error.status().as_u16()), (ErrorCode::RateLimited, 429));
/// assert_eq!(error.into_body().retry_after_ms, Some(5_000));
/// ```
#[derive(Debug)]
pub struct ApiError {
    code: ErrorCode,
    status: Option<StatusCode>,
    message: String,
    retry_after_ms: Option<u64>,
    source: Option<Source>,
}

impl ApiError {
    /// Says what went wrong, for a program and for a person.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            status: None,
            message: message.into(),
            retry_after_ms: None,
            source: None,
        }
    }

    /// Answers under another status than the code's.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = Some(status);
        self
    }

    /// Says when to try again, in milliseconds.
    #[must_use]
    pub const fn with_retry_after(mut self, ms: u64) -> Self {
        self.retry_after_ms = Some(ms);
        self
    }

    /// Adds the cause, for the log only.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Source>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Something broke that is nobody's business but ours.
    pub fn internal(source: impl Into<Source>) -> Self {
        Self::new(ErrorCode::Internal, "Something broke on the server").with_source(source)
    }

    /// The code.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        self.code
    }

    /// The status it is answered under.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status.unwrap_or_else(|| {
            StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
        })
    }

    /// What travels; logs the error, so it is called once per error.
    #[must_use]
    pub fn into_body(self) -> ErrorBody {
        if self.code == ErrorCode::Internal {
            tracing::error!(code = %self.code, cause = %self.chain(), "{}", self.message);
        } else {
            tracing::debug!(code = %self.code, cause = %self.chain(), "{}", self.message);
        }
        complete(ErrorBody {
            code: self.code,
            message: self.message,
            retry_after_ms: self.retry_after_ms,
        })
    }

    /// The chain of causes in one line.
    fn chain(&self) -> String {
        let mut text = String::new();
        let mut next: Option<&dyn StdError> = self.source.as_deref().map(|source| source as _);
        while let Some(cause) = next {
            let separator = if text.is_empty() { "" } else { ": " };
            let _ = write!(text, "{separator}{cause}");
            next = cause.source();
        }
        text
    }
}

/// Sees to it that whoever is told to wait is told how long.
pub(crate) fn complete(mut body: ErrorBody) -> ErrorBody {
    if body.code.class() == ErrorClass::Wait && body.retry_after_ms.is_none() {
        body.retry_after_ms = Some(RETRY_AFTER_MS);
    }
    body
}

/// A refusal inside the store's answer, as the answer to the whole request.
impl From<ErrorBody> for ApiError {
    fn from(body: ErrorBody) -> Self {
        Self {
            code: body.code,
            status: None,
            message: sentence(body.message),
            retry_after_ms: body.retry_after_ms,
            source: None,
        }
    }
}

fn sentence(mut message: String) -> String {
    if let Some(first) = message.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    message
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl StdError for ApiError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        let code = error.code();
        if code == ErrorCode::Internal {
            return Self::internal(error);
        }
        let retry_after_ms = match error {
            StoreError::InFlight { retry_after_ms } => Some(retry_after_ms),
            _ => None,
        };
        Self {
            code,
            status: None,
            message: sentence(error.to_string()),
            retry_after_ms,
            source: Some(error.into()),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.status();
        let body = self.into_body();
        let mut response = answer::json(status, &body);
        if let Some(ms) = body.retry_after_ms {
            let seconds = ms.div_ceil(1000);
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        // For dialects, which say it in another way.
        response.extensions_mut().insert(body);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_stays_in_the_log() {
        let source = std::io::Error::other("/secret/path is on fire");
        let error = ApiError::from(StoreError::Io {
            doing: "opening /secret",
            source,
        });
        assert_eq!(
            error.chain(),
            "opening /secret failed: /secret/path is on fire"
        );
        let body = error.into_body();
        assert!(!body.message.contains("secret"), "{}", body.message);
        assert_eq!(body.code, ErrorCode::Internal);
    }

    #[test]
    fn only_the_class_wait_is_told_how_long() {
        for &code in ErrorCode::ALL {
            let body = ApiError::new(code, "x").into_body();
            assert_eq!(
                body.retry_after_ms.is_some(),
                code.class() == ErrorClass::Wait,
                "{code}"
            );
        }
        let own = ApiError::from(StoreError::InFlight { retry_after_ms: 77 });
        assert_eq!(own.into_body().retry_after_ms, Some(77));
    }
}
