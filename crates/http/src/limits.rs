//! `GET /limits`: what the server allows.

use std::sync::Arc;

use axum::{Extension, extract::State, response::Response};
use hoist_protocol::ErrorCode;

use crate::{Access, ApiError, answer, router::Core};

pub(crate) async fn limits(
    State(core): State<Arc<Core>>,
    Extension(access): Extension<Access>,
) -> Result<Response, ApiError> {
    Ok(answer::ok(
        &core.store.limits(core.now(), &access.party).await?,
    ))
}

/// Refuses a list that is too long before the store sees it.
pub(crate) async fn check_batch(
    core: &Core,
    access: &Access,
    length: usize,
) -> Result<(), ApiError> {
    let most = core.store.limits(core.now(), &access.party).await?.batch;
    if length as u64 > u64::from(most) {
        return Err(ApiError::new(
            ErrorCode::TooMany,
            format!("One request may name at most {most} files"),
        ));
    }
    Ok(())
}
