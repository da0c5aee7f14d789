//! An axum router over a hoist store: routes, limits, who is who, and an accept loop.
//!
//! [`router`] answers the native protocol (`PROTOCOL.md`) below any prefix, [`classic()`] that of the
//! jQuery plugin; [`serve`] is an accept
//! loop with the time-outs that uploads need; [`listing`] gives a page its first list. The crate
//! knows requests, statuses and disconnects. It deliberately does not know leptos, files, folders,
//! or what becomes of a finished upload: that is the store's.
//!
//! ```
//! use hoist_axum::HttpConfig;
//! use hoist_store::{Store, StoreConfig};
//!
//! let store = Store::memory(StoreConfig::default());
//! let app: axum::Router =
//!     axum::Router::new().nest("/hoist", hoist_axum::router(store, HttpConfig::default()));
//! ```
//!
//! Who may do what is decided by [`HttpConfig::authorize`]: everybody is one owner ([`Shared`], the
//! default), each browser is one ([`CookieVisitors`]), each person whom a proxy has signed in
//! ([`TrustedHeader`]), or whatever an embedder says ([`Authorize`]); [`Passwords`] stands before any
//! of them.

mod addresses;
mod answer;
mod attempts;
mod authorize;
mod body;
mod cancel;
mod classic;
mod clock;
mod coming;
mod config;
mod cookie;
mod create;
mod deliver;
mod download;
mod error;
mod form;
mod form_delete;
mod form_file;
mod form_words;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod guard;
mod held;
mod idle;
mod limits;
mod list;
mod origin;
mod pack;
mod pack_form;
mod password;
mod range;
mod ration;
mod router;
mod seat;
mod serve;
mod shares;
mod sign_in;
mod socket;
mod status;
mod token;
mod transfers;
mod trusted_header;
mod zip;

pub use authorize::{Access, Authorize, Authorizer, Rights, Shared};
pub use classic::classic;
pub use clock::Clock;
pub use config::HttpConfig;
pub use cookie::{
    CookieConfig, CookieKey, CookieLayer, CookieService, CookieVisitors, Secure, Visitor,
};
pub use deliver::{on_complete, on_event};
pub use error::ApiError;
pub use form_words::form_problem;
pub use list::listing;
pub use password::{PasswordConfig, Passwords};
pub use router::{router, routes};
pub use serve::{ServeConfig, Stopping, serve};
pub use trusted_header::TrustedHeader;
