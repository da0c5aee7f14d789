//! Server functions: what the page asks and tells besides uploading.
//!
//! Chunks do not travel this way: a server function loses status codes, copies bytes through wasm
//! and gives no progress.

use bytes::Bytes;
use hoist_leptos::json::{self, Malformed};
use hoist_protocol::{DeleteResult, ErrorBody, ListCounts, ListResponse, Receipt, UploadId};
use leptos::{
    prelude::*,
    server_fn::{ContentType, Decodes, Encodes, Format, FormatType, codec::Post},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// JSON, read as the answers of the protocol are read: `server_fn`'s own would bring a second reader
/// into the wasm.
#[derive(Debug)]
pub struct JsonEncoding;

/// JSON both ways.
pub(crate) type Json = Post<JsonEncoding>;

impl ContentType for JsonEncoding {
    const CONTENT_TYPE: &'static str = "application/json";
}

impl FormatType for JsonEncoding {
    const FORMAT_TYPE: Format = Format::Text;
}

impl<T: Serialize> Encodes<T> for JsonEncoding {
    type Error = serde_json::Error;

    fn encode(value: &T) -> Result<Bytes, Self::Error> {
        serde_json::to_vec(value).map(Bytes::from)
    }
}

impl<T: DeserializeOwned> Decodes<T> for JsonEncoding {
    type Error = Malformed;

    fn decode(bytes: Bytes) -> Result<T, Malformed> {
        json::from_slice(&bytes)
    }
}

/// Why a server function failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AppError {
    /// The store or the authorisation refused, in words for a person.
    Refused(ErrorBody),
    /// The call itself did not work: no network, or an answer that is not ours.
    Call(String),
}

impl std::fmt::Display for AppError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(body) => f.write_str(&body.message),
            Self::Call(_) => f.write_str("The server could not be reached. Please try again."),
        }
    }
}

impl std::error::Error for AppError {}

impl FromServerFnError for AppError {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        Self::Call(error.to_string())
    }
}

/// A page of this visitor's finished files, newest first.
///
/// # Errors
///
/// [`AppError`].
#[server(endpoint = "finished_files", input = Json, output = Json)]
pub async fn finished_files(
    /// `next` of the page before.
    after: Option<String>,
) -> Result<ListResponse, AppError> {
    crate::server::Caller::current()?
        .finished_files(after)
        .await
}

/// Deletes files; they can be restored for a while.
///
/// # Errors
///
/// [`AppError`].
#[server(endpoint = "delete_files", input = Json, output = Json)]
pub async fn delete_files(
    /// Which.
    ids: Vec<UploadId>,
) -> Result<Vec<DeleteResult>, AppError> {
    crate::server::Caller::current()?.delete(&ids).await
}

/// Takes deletes back.
///
/// # Errors
///
/// [`AppError`].
#[server(endpoint = "restore_files", input = Json, output = Json)]
pub async fn restore_files(
    /// Which.
    ids: Vec<UploadId>,
) -> Result<Vec<DeleteResult>, AppError> {
    crate::server::Caller::current()?.restore(&ids).await
}

/// Gives a finished file another name in its folder; never replaces another file.
///
/// # Errors
///
/// [`AppError`].
#[server(endpoint = "rename_file", input = Json, output = Json)]
pub async fn rename_file(
    /// Which.
    id: UploadId,
    /// Its new name.
    name: String,
) -> Result<Receipt, AppError> {
    crate::server::Caller::current()?.rename(id, &name).await
}

/// How many files this visitor has, and how many bytes.
///
/// # Errors
///
/// [`AppError`].
#[server(endpoint = "storage_used", input = Json, output = Json)]
pub async fn storage_used() -> Result<ListCounts, AppError> {
    crate::server::Caller::current()?.storage_used().await
}
