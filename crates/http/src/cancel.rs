//! `DELETE /uploads/{id}`, `POST /uploads/delete` and `POST /uploads/restore`.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, Request, State, rejection::PathRejection},
    response::Response,
};
use hoist_protocol::{DeleteRequest, DeleteResponse, DeleteResult, ErrorCode, UploadId};

use crate::{
    Access, ApiError, answer, body::BodyReader, error::complete, limits::check_batch, router::Core,
};

pub(crate) async fn delete_one(
    State(core): State<Arc<Core>>,
    Extension(access): Extension<Access>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    access.require(|rights| rights.delete)?;
    let id = parse_id(path.ok().map(|Path(id)| id).as_deref())?;
    let results = core.store.delete(core.now(), &access.party, &[id]).await?;
    Ok(answer_with(results))
}

pub(crate) async fn delete_many(
    State(core): State<Arc<Core>>,
    Extension(access): Extension<Access>,
    request: Request,
) -> Result<Response, ApiError> {
    let ids = read_ids(&core, &access, request).await?;
    let results = core.store.delete(core.now(), &access.party, &ids).await?;
    Ok(answer_with(results))
}

pub(crate) async fn restore(
    State(core): State<Arc<Core>>,
    Extension(access): Extension<Access>,
    request: Request,
) -> Result<Response, ApiError> {
    let ids = read_ids(&core, &access, request).await?;
    let results = core.store.restore(core.now(), &access.party, &ids).await?;
    Ok(answer_with(results))
}

/// What is no id names no upload.
pub(crate) fn parse_id(text: Option<&str>) -> Result<UploadId, ApiError> {
    text.and_then(|text| text.parse().ok())
        .ok_or_else(|| ApiError::new(ErrorCode::NotFound, "There is no such upload"))
}

async fn read_ids(
    core: &Core,
    access: &Access,
    request: Request,
) -> Result<Vec<UploadId>, ApiError> {
    let (parts, body) = request.into_parts();
    let reader = BodyReader::new(core, &parts, body, core.config.json_size);
    access.require(|rights| rights.delete)?;
    let request: DeleteRequest = reader.json(core).await?;
    check_batch(core, access, request.ids.len()).await?;
    Ok(request.ids)
}

fn answer_with(mut results: Vec<DeleteResult>) -> Response {
    for result in &mut results {
        if let DeleteResult::Refused(body) = result {
            *body = complete(body.clone());
        }
    }
    answer::ok(&DeleteResponse { results })
}
