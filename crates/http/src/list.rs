//! `GET /uploads`: what this visitor has.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Query, State},
    response::Response,
};
use hoist_protocol::{ErrorCode, ListResponse, Millis};
use hoist_store::{ListQuery, Store};
use http::Uri;
use serde::Deserialize;

use crate::{Access, ApiError, answer, router::Core};

/// The query of a list.
#[derive(Debug, Default, Deserialize)]
struct Page {
    after: Option<String>,
    limit: Option<u32>,
}

pub(crate) async fn list(
    State(core): State<Arc<Core>>,
    Extension(access): Extension<Access>,
    uri: Uri,
) -> Result<Response, ApiError> {
    access.require(|rights| rights.list)?;
    let Query(page) = Query::<Page>::try_from_uri(&uri).map_err(|error| {
        ApiError::new(
            ErrorCode::InvalidRequest,
            "A list takes `after` and `limit`, a number",
        )
        .with_source(error)
    })?;
    let query = ListQuery {
        after: page.after,
        limit: page.limit.unwrap_or_default(),
        ..ListQuery::default()
    };
    let list = core.store.list(core.now(), &access.party, &query).await?;
    Ok(answer::ok(&list))
}

/// The first rows of a visitor's list, for a page to be rendered with.
///
/// `limit` is at most how many rows; 50 is what the component shows at first. Who may not list has
/// an empty list.
///
/// # Errors
///
/// What the store says, in words for a person.
///
/// # Examples
///
/// ```
/// use hoist_axum::{Access, listing};
/// use hoist_protocol::Millis;
/// use hoist_store::{Owner, Party, Store, StoreConfig};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let store = Store::memory(StoreConfig::default());
/// let access = Access::full(Party::known(Owner::shared()));
/// let list = listing(&store, &access, 50, Millis(0)).await.map_err(|_| "no list")?;
/// assert_eq!((list.uploads.len(), list.counts.finished), (0, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub async fn listing(
    store: &Store,
    access: &Access,
    limit: u32,
    now: Millis,
) -> Result<ListResponse, ApiError> {
    if !access.rights.list {
        return Ok(ListResponse::default());
    }
    let query = ListQuery {
        limit,
        ..ListQuery::default()
    };
    Ok(store.list(now, &access.party, &query).await?)
}
