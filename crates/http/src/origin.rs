//! Which pages may call.
//!
//! A browser sends a visitor's cookie, and on loopback everybody's rights, with a request that any
//! page on the web made it send. So a request that changes something must come from a page of ours
//! or of a listed origin. What is no browser sends neither header and has no cookie to be abused.

use axum::{body::Body, response::Response};
use hoist_protocol::ErrorCode;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts};

use crate::ApiError;

/// Where a request comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A page of ours, or no browser.
    Same,
    /// A page of a listed origin.
    Listed(HeaderValue),
    /// Any other page.
    Foreign,
}

impl Origin {
    pub(crate) fn of(parts: &Parts, allowed: &[String]) -> Self {
        let origin = parts.headers.get(header::ORIGIN);
        if let Some(origin) = origin
            && allowed
                .iter()
                .any(|listed| listed.as_bytes() == origin.as_bytes())
        {
            return Self::Listed(origin.clone());
        }
        // `none`: typed or bookmarked by the person.
        match parts
            .headers
            .get("sec-fetch-site")
            .map(HeaderValue::as_bytes)
        {
            Some(b"same-origin" | b"none") => Self::Same,
            Some(_) => Self::Foreign,
            None => match origin {
                None => Self::Same,
                Some(origin) if is_host(origin, parts) => Self::Same,
                Some(_) => Self::Foreign,
            },
        }
    }

    /// Refuses what would change something.
    pub(crate) fn check(&self, method: &Method) -> Result<(), ApiError> {
        let changes = !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
        if changes && *self == Self::Foreign {
            return Err(ApiError::new(
                ErrorCode::Forbidden,
                "This page may not send requests here: its origin is not allowed",
            ));
        }
        Ok(())
    }

    /// Lets the page of a listed origin read the answer.
    pub(crate) fn allow(&self, headers: &mut HeaderMap) {
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        let Self::Listed(origin) = self else { return };
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
            HeaderValue::from_static("true"),
        );
        headers.insert(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("retry-after, etag, content-range, content-disposition"),
        );
    }

    /// The answer to a preflight.
    pub(crate) fn preflight(&self, asked: &HeaderMap) -> Result<Response, ApiError> {
        if !matches!(self, Self::Listed(_)) {
            return Err(ApiError::new(
                ErrorCode::Forbidden,
                "This page may not send requests here: its origin is not allowed",
            ));
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        for (name, value) in [
            (
                header::ACCESS_CONTROL_ALLOW_METHODS,
                "GET, HEAD, POST, DELETE",
            ),
            (header::ACCESS_CONTROL_MAX_AGE, "600"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        // A listed origin may send whatever headers its page needs to be let in.
        let wished = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            wished.unwrap_or(HeaderValue::from_static("content-type")),
        );
        headers.append(
            header::VARY,
            HeaderValue::from_static("Access-Control-Request-Headers"),
        );
        Ok(response)
    }
}

/// Whether the origin's host is the one that was asked. Schemes may differ: a proxy may end TLS.
fn is_host(origin: &HeaderValue, parts: &Parts) -> bool {
    let authority = parts.uri.authority().map(|a| a.as_str());
    let host = parts
        .headers
        .get(header::HOST)
        .and_then(|h| h.to_str().ok());
    let (Some(host), Ok(origin)) = (host.or(authority), origin.to_str()) else {
        return false;
    };
    origin
        .split_once("://")
        .is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(headers: &[(&str, &str)]) -> Origin {
        let mut request = http::Request::builder().header("host", "hoist.example:3000");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        Origin::of(&parts, &["https://app.example".to_owned()])
    }

    #[test]
    fn pages_are_told_apart() {
        let listed = Origin::Listed(HeaderValue::from_static("https://app.example"));
        for (headers, expected) in [
            (&[][..], Origin::Same),
            (&[("sec-fetch-site", "same-origin")], Origin::Same),
            (&[("sec-fetch-site", "none")], Origin::Same),
            (&[("sec-fetch-site", "same-site")], Origin::Foreign),
            (&[("sec-fetch-site", "cross-site")], Origin::Foreign),
            (&[("origin", "http://hoist.example:3000")], Origin::Same),
            (&[("origin", "https://HOIST.example:3000")], Origin::Same),
            (&[("origin", "http://hoist.example")], Origin::Foreign),
            (&[("origin", "null")], Origin::Foreign),
            (&[("origin", "http://evil.example")], Origin::Foreign),
            (&[("origin", "http://app.example")], Origin::Foreign),
            (&[("origin", "https://app.example.evil")], Origin::Foreign),
            (&[("origin", "https://app.example")], listed.clone()),
            (
                &[
                    ("origin", "https://app.example"),
                    ("sec-fetch-site", "cross-site"),
                ],
                listed.clone(),
            ),
            // The header that a page cannot forge decides over one that matches by chance.
            (
                &[
                    ("origin", "http://hoist.example:3000"),
                    ("sec-fetch-site", "cross-site"),
                ],
                Origin::Foreign,
            ),
        ] {
            assert_eq!(origin(headers), expected, "{headers:?}");
        }
    }
}
