//! `POST /uploads/status`: how uploads stand.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Request, State},
    response::Response,
};
use hoist_protocol::{StatusRequest, StatusResponse};

use crate::{Access, ApiError, answer, body::BodyReader, limits::check_batch, router::Core};

pub(crate) async fn status(
    State(core): State<Arc<Core>>,
    Extension(access): Extension<Access>,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let reader = BodyReader::new(&core, &parts, body, core.config.json_size);
    let request: StatusRequest = reader.json(&core).await?;
    check_batch(&core, &access, request.ids.len()).await?;
    let uploads = core
        .store
        .status(core.now(), &access.party, &request.ids, request.checksums)
        .await?;
    Ok(answer::ok(&StatusResponse { uploads }))
}
