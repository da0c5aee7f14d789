//! `POST /uploads`: one call for the whole list.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Request, State},
    response::Response,
};
use hoist_protocol::{CreateAnswer, CreateRequest, CreateResponse};

use crate::{
    Access, ApiError, answer, body::BodyReader, error::complete, limits::check_batch, router::Core,
};

pub(crate) async fn create(
    State(core): State<Arc<Core>>,
    Extension(access): Extension<Access>,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let reader = BodyReader::new(&core, &parts, body, core.config.json_size);
    access.require(|rights| rights.send)?;
    let request: CreateRequest = reader.json(&core).await?;
    check_batch(&core, &access, request.files.len()).await?;
    let mut answers = core
        .store
        .create(core.now(), &access.party, &request.files)
        .await?;
    for answer in &mut answers {
        if let CreateAnswer::Refused(body) = answer {
            *body = complete(body.clone());
        }
    }
    Ok(answer::ok(&CreateResponse { answers }))
}
