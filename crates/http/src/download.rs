//! `GET /files/{id}/{name}`: a finished file.
//!
//! What people upload is never shown as a page of ours: always an attachment, in a sandbox, under
//! its stored type only if browsers run nothing in that type.

use std::sync::Arc;

use axum::{
    Extension,
    body::Body,
    extract::{Path, Request, State, rejection::PathRejection},
    response::Response,
};
use bytes::Bytes;
use futures_util::stream;
use hoist_protocol::{ByteRange, ErrorCode, Receipt};
use hoist_store::FileReader;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::{
    Access, ApiError,
    cancel::parse_id,
    range::{self, Wanted},
    router::Core,
};

/// How much is read from the store at a time, in bytes.
const PIECE: u64 = 256 << 10;

pub(crate) async fn download(
    State(core): State<Arc<Core>>,
    Extension(access): Extension<Access>,
    path: Result<Path<(String, String)>, PathRejection>,
    request: Request,
) -> Result<Response, ApiError> {
    access.require(|rights| rights.read)?;
    let id = parse_id(path.ok().map(|Path((id, _))| id).as_deref())?;
    let file = core.store.read(core.now(), &access.party, id).await?;
    let receipt = file.receipt();
    let mut headers = file_headers(receipt)?;
    let etag = headers.get(header::ETAG).cloned();
    if is_known(request.headers(), etag.as_ref()) {
        return Ok(respond(StatusCode::NOT_MODIFIED, headers, Body::empty()));
    }
    let size = receipt.size;
    let (status, range) = match wanted(request.headers(), etag.as_ref(), size) {
        Wanted::Whole => (StatusCode::OK, ByteRange::new(0, size)),
        Wanted::Part(range) => {
            let value = format!("bytes {}-{}/{size}", range.start, range.end - 1);
            headers.insert(header::CONTENT_RANGE, header_value(&value)?);
            (StatusCode::PARTIAL_CONTENT, range)
        }
        Wanted::Outside => return outside(size),
    };
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(range.len()));
    Ok(respond(status, headers, body(file, range)))
}

/// Everything about the answer that is the same for all ranges.
fn file_headers(receipt: &Receipt) -> Result<HeaderMap, ApiError> {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        (header::ACCEPT_RANGES, "bytes"),
        (header::CACHE_CONTROL, "private, no-cache"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (
            header::CONTENT_SECURITY_POLICY,
            "sandbox; default-src 'none'",
        ),
        (
            header::CONTENT_TYPE,
            safe_type(receipt.media_type.as_deref()),
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(
        header::CONTENT_DISPOSITION,
        header_value(&disposition(&receipt.name))?,
    );
    if let Some(hash) = receipt.hash {
        headers.insert(header::ETAG, header_value(&format!("\"{hash}\""))?);
    }
    Ok(headers)
}

/// Whether the client has these bytes already.
pub(crate) fn is_known(headers: &HeaderMap, etag: Option<&HeaderValue>) -> bool {
    let (Some(known), Some(etag)) = (text(headers, header::IF_NONE_MATCH), etag) else {
        return false;
    };
    known.split(',').map(str::trim).any(|one| {
        one == "*" || one.strip_prefix("W/").unwrap_or(one).as_bytes() == etag.as_bytes()
    })
}

/// The range that is wanted, unless it is of another file than this (`If-Range`).
pub(crate) fn wanted(headers: &HeaderMap, etag: Option<&HeaderValue>, size: u64) -> Wanted {
    match text(headers, header::IF_RANGE) {
        Some(tag) if etag.is_none_or(|etag| etag.as_bytes() != tag.as_bytes()) => Wanted::Whole,
        _ => range::parse(text(headers, header::RANGE), size),
    }
}

fn outside(size: u64) -> Result<Response, ApiError> {
    use axum::response::IntoResponse as _;
    let error = ApiError::new(
        ErrorCode::InvalidRequest,
        format!("The file has {size} bytes, and these are not among them"),
    )
    .with_status(StatusCode::RANGE_NOT_SATISFIABLE);
    let mut response = error.into_response();
    response.headers_mut().insert(
        header::CONTENT_RANGE,
        header_value(&format!("bytes */{size}"))?,
    );
    Ok(response)
}

/// The bytes of a range, one piece in memory at a time.
fn body(file: FileReader, range: ByteRange) -> Body {
    Body::from_stream(stream::try_unfold(
        (file, range.start),
        move |(file, offset)| async move {
            if offset >= range.end {
                return Ok(None);
            }
            let length = usize::try_from((range.end - offset).min(PIECE)).unwrap_or(usize::MAX);
            let bytes: Bytes = match file.read(offset, length).await {
                Ok(bytes) if !bytes.is_empty() => bytes,
                Ok(_) => {
                    return Err(cut_short(
                        &file,
                        "the file is shorter than its receipt says",
                    ));
                }
                Err(error) => return Err(cut_short(&file, error)),
            };
            let next = offset + bytes.len() as u64;
            Ok(Some((bytes, (file, next))))
        },
    ))
}

/// The head of the answer is gone already: the client sees a cut connection, the log the cause.
fn cut_short(
    file: &FileReader,
    cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> ApiError {
    let error = ApiError::internal(cause);
    tracing::error!(upload = %file.receipt().id, cause = ?error, "a download broke off");
    error
}

fn respond(status: StatusCode, headers: HeaderMap, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn header_value(text: &str) -> Result<HeaderValue, ApiError> {
    HeaderValue::from_str(text).map_err(ApiError::internal)
}

/// The type to answer: what a client said is believed only of types in which nothing can run.
///
/// Out of a table, so that no byte of a client's header comes back in one of ours.
pub(crate) fn safe_type(said: Option<&str>) -> &'static str {
    const SAFE: &[&str] = &[
        "application/gzip",
        "application/json",
        "application/pdf",
        "application/zip",
        "audio/aac",
        "audio/flac",
        "audio/mpeg",
        "audio/mp4",
        "audio/ogg",
        "audio/wav",
        "audio/webm",
        "image/avif",
        "image/bmp",
        "image/gif",
        "image/heic",
        "image/jpeg",
        "image/png",
        "image/tiff",
        "image/webp",
        "text/csv",
        "text/plain",
        "video/mp4",
        "video/mpeg",
        "video/ogg",
        "video/quicktime",
        "video/webm",
    ];
    let said = said.unwrap_or_default();
    let essence = said.split(';').next().unwrap_or_default().trim();
    SAFE.iter()
        .find(|safe| safe.eq_ignore_ascii_case(essence))
        .copied()
        .unwrap_or("application/octet-stream")
}

/// An attachment under its own name, in any script: RFC 6266 with RFC 8187.
pub(crate) fn disposition(name: &str) -> String {
    use std::fmt::Write as _;
    let mut value = "attachment; filename*=UTF-8''".to_owned();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            value.push(char::from(byte));
        } else {
            let _ = write!(value, "%{byte:02X}");
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_in_which_something_runs_are_not_answered() {
        for said in [
            "text/html",
            "image/svg+xml",
            "text/xml",
            "application/xhtml+xml",
            "text/javascript",
            "image/png\r\nx: y",
            "",
        ] {
            assert_eq!(safe_type(Some(said)), "application/octet-stream", "{said}");
        }
        assert_eq!(safe_type(Some("IMAGE/png; a=b")), "image/png");
        assert_eq!(safe_type(None), "application/octet-stream");
    }

    #[test]
    fn no_name_can_break_the_header() {
        assert_eq!(
            disposition("a\"b\r\nc; é.txt"),
            "attachment; filename*=UTF-8''a%22b%0D%0Ac%3B%20%C3%A9.txt"
        );
    }
}
