//! What the host page may set.

use hoist_engine::{FileKey, Notice, Restrictions, RetryPolicy, Totals};
use hoist_protocol::{
    ErrorCode, ListResponse, OnConflict, Receipt,
    route::{self, DEFAULT_PREFIX},
};
use leptos::prelude::Callback;

/// How the bytes of a request are handed to the browser.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Body {
    /// [`Body::Buffer`] in Safari, which hangs on requests made of slices of files (See
    /// pqina/filepond#1059). In Chromium on a desk files are sent whole where a pack holds them, and
    /// pieces of larger ones from memory, because slices cost it twice as much: at most 192 MiB, and
    /// what the browser copies of it.
    /// [`Body::Slices`] elsewhere.
    #[default]
    Auto,
    /// Whole files and slices of them; the browser reads them while it sends. Needs the least memory.
    Slices,
    /// One buffer per request, filled with what was read for the checksum.
    Buffer,
}

/// A file that was given up, or not taken in the first place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileError {
    /// Its row.
    pub key: FileKey,
    /// Its name.
    pub name: String,
    /// Its folder, or empty.
    pub path: String,
    /// The server's code, if the server refused it.
    pub code: Option<ErrorCode>,
    /// What a person reads.
    pub words: String,
}

/// What the host page may set; everything has a default.
///
/// A callback may call every method of the handle, itself included.
///
/// # Examples
///
/// ```
/// use hoist_leptos::{Body, Restrictions, RetryPolicy, UploaderOptions};
/// use hoist_protocol::OnConflict;
/// use leptos::prelude::*;
///
/// fn options(words: RwSignal<String>) -> UploaderOptions {
///     UploaderOptions {
///         endpoint: "https://files.example/hoist".to_owned(),
///         headers: vec![("authorization".to_owned(), "Bearer …".to_owned())],
///         with_credentials: true,
///         auto_start: false,
///         chunk_size: Some(4 << 20),
///         max_concurrent: 2,
///         thumbnail_width: 160,
///         thumbnail_height: 120,
///         restrictions: Restrictions {
///             accept: vec!["image/*".to_owned(), ".pdf".to_owned()],
///             max_file_size: Some(50_000_000),
///             max_files: Some(100),
///             ..Restrictions::default()
///         },
///         retry: RetryPolicy::default(),
///         on_conflict: OnConflict::KeepBoth,
///         directory: false,
///         body: Body::Buffer,
///         on_success: Some(Callback::new(move |receipt: hoist_protocol::Receipt| {
///             words.set(format!("{} is there", receipt.name));
///         })),
///         on_error: Some(Callback::new(move |error: hoist_leptos::FileError| {
///             words.set(format!("{}: {}", error.name, error.words));
///         })),
///         on_complete: Some(Callback::new(move |totals: hoist_leptos::Totals| {
///             words.set(format!("{} of {} files", totals.finished, totals.files));
///         })),
///         ..UploaderOptions::default()
///     }
/// }
/// ```
#[derive(Clone, Debug)]
pub struct UploaderOptions {
    /// Where the server's router is mounted, without a slash at its end. Default `/hoist`.
    pub endpoint: String,
    /// Whether files are sent as soon as they are added; otherwise [`crate::Uploader::start`] begins.
    /// Default `true`.
    pub auto_start: bool,
    /// The chunk size to wish for, in bytes; the server answers the nearest it allows. Default: none.
    pub chunk_size: Option<u64>,
    /// Most requests that carry bytes at the same time. Default 4.
    pub max_concurrent: u32,
    /// Most CSS pixels that the picture of an image is wide; it keeps its proportions. Default 48;
    /// with 0 there are no pictures.
    pub thumbnail_width: u32,
    /// Most CSS pixels that the picture of an image is high. Default 48; with 0 there are no pictures.
    pub thumbnail_height: u32,
    /// What is taken; `accept` is also set on the input. Default: all that the server takes.
    pub restrictions: Restrictions,
    /// When failures are tried again.
    pub retry: RetryPolicy,
    /// What to do if another file has the path of one that is added. Default: both stay.
    pub on_conflict: OnConflict,
    /// Whether there is a button to choose a whole folder. Default `true`.
    pub directory: bool,
    /// Whether files are taken that are dropped anywhere on the page; a browser leaves the page to show
    /// what misses the zone. Fields for files, and whatever calls `preventDefault`, keep what is dropped
    /// on them. Of two on a page only one can have this. Default `false`.
    pub drop_on_page: bool,
    /// Whether the component stands inside a form of the page around it. Then it renders no form of
    /// its own, because a form inside a form is dropped by the parser; without JavaScript its button
    /// sends that form's fields to [`UploaderOptions::endpoint`], and so does Enter in a field, unless
    /// a button of the form stands before it. Default `false`.
    pub in_form: bool,
    /// Headers of every request, as name and value. Another origin must allow them.
    pub headers: Vec<(String, String)>,
    /// Whether cookies go to another origin. Default `false`; to the same origin they always go.
    pub with_credentials: bool,
    /// How bytes are handed to the browser.
    pub body: Body,
    /// What the server has of this visitor, to be shown from the first HTML on.
    pub initial: Option<ListResponse>,
    /// A file is stored whole; its receipt.
    pub on_success: Option<Callback<Receipt>>,
    /// A file was already there; its receipt.
    pub on_skipped: Option<Callback<Receipt>>,
    /// A file was given up.
    pub on_error: Option<Callback<FileError>>,
    /// A file was not taken, by [`UploaderOptions::restrictions`] or the server's limits.
    pub on_restriction_failed: Option<Callback<FileError>>,
    /// Nothing is left to do; said once each time the queue runs dry.
    pub on_complete: Option<Callback<Totals>>,
    /// Everything that happens, the above included.
    pub on_event: Option<Callback<Notice>>,
}

impl UploaderOptions {
    /// Where a stored file is fetched.
    pub(crate) fn address(&self, receipt: &Receipt) -> String {
        format!(
            "{}{}",
            self.endpoint,
            route::file(receipt.id, &receipt.name)
        )
    }
}

impl Default for UploaderOptions {
    fn default() -> Self {
        Self {
            endpoint: DEFAULT_PREFIX.to_owned(),
            auto_start: true,
            chunk_size: None,
            max_concurrent: 4,
            thumbnail_width: 48,
            thumbnail_height: 48,
            restrictions: Restrictions::default(),
            retry: RetryPolicy::default(),
            on_conflict: OnConflict::KeepBoth,
            directory: true,
            drop_on_page: false,
            in_form: false,
            headers: Vec::new(),
            with_credentials: false,
            body: Body::Auto,
            initial: None,
            on_success: None,
            on_skipped: None,
            on_error: None,
            on_restriction_failed: None,
            on_complete: None,
            on_event: None,
        }
    }
}
