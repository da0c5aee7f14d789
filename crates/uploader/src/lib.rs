//! A resumable file uploader for Leptos: a headless hook, and a component over it.
//!
//! [`use_uploader`] gives signals and actions; [`Uploader`](fn@Uploader) is one skin over it, with
//! its style sheet as [`STYLESHEET`]. What to send, when to try again and what the totals are is
//! decided by `hoist-engine`; this crate is its hands in the browser: it reads and hashes files,
//! sends requests, owns timers, walks dropped folders and publishes what is seen once per frame.
//!
//! It compiles everywhere and renders the same on the server and in the browser; whatever touches
//! JavaScript begins in an effect or a handler. It never panics, because a panic in wasm kills
//! the page it is embedded in.
//!
//! ```
//! use hoist_leptos::Uploader;
//! use leptos::prelude::*;
//!
//! #[component]
//! fn Page() -> impl IntoView {
//!     view! { <Uploader/> }
//! }
//! ```
//!
//! An app forwards its own mode: `hydrate = ["hoist-leptos/hydrate"]`, `ssr = ["hoist-leptos/ssr"]`
//! (or `csr`), never two in one build.

mod board;
mod browser;
mod driver;
mod erase;
mod few;
mod format;
mod hash;
pub mod json;
mod options;
mod pick;
mod shared;
mod transport;
mod uploader;
#[allow(
    unreachable_pub,
    reason = "the macro makes the properties of a component `pub`"
)]
mod view;
mod words;

pub use board::{FileView, Overview, VisibleRow};
pub use erase::Erase;
pub use format::bytes as format_bytes;
pub use hoist_engine::{
    Elsewhere, FileKey, Notice, Offers, Picked, Restrictions, RetryPolicy, Totals,
};
pub use options::{Body, FileError, UploaderOptions};
pub use shared::shared;
pub use uploader::{Uploader, use_uploader};
pub use view::{Uploader, parts};

/// The style sheet of [`Uploader`](fn@Uploader): plain CSS, light and dark.
///
/// Import `uploader.css` of this crate in the app's own style sheet, or serve this text. Looks are
/// set with the `--uploader-*` custom properties at its top; class names are stable.
pub const STYLESHEET: &str = include_str!("../uploader.css");
