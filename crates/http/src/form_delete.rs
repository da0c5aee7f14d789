//! `POST /form/delete`: delete from a page without JavaScript.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Request, State},
    response::{IntoResponse as _, Response},
};
use hoist_protocol::{DeleteResult, UploadId};

use crate::{
    Access, ApiError,
    answer::see_other,
    body::BodyReader,
    cancel::parse_id,
    form::{failed, page, wants_html},
    limits::check_batch,
    router::Core,
};

/// Largest form: a thousand ids fit.
const FORM_SIZE: u64 = 64 << 10;

pub(crate) async fn delete(
    State(core): State<Arc<Core>>,
    Extension(access): Extension<Access>,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let reader = BodyReader::new(&core, &parts, body, FORM_SIZE);
    access.require(|rights| rights.delete)?;
    let back = page(&parts.headers, &core.config.form_return);
    match take(&core, &access, reader).await {
        Ok(()) => Ok(see_other(&back)),
        Err(error) if wants_html(&parts.headers) => Ok(failed(&back, error)),
        Err(error) => Ok(error.into_response()),
    }
}

async fn take(core: &Core, access: &Access, reader: BodyReader) -> Result<(), ApiError> {
    let body = reader.bytes(core).await?;
    let ids: Vec<UploadId> = form_urlencoded::parse(&body)
        .filter(|(name, _)| name == "id")
        .map(|(_, id)| parse_id(Some(&id)))
        .collect::<Result<_, _>>()?;
    check_batch(core, access, ids.len()).await?;
    for result in core.store.delete(core.now(), &access.party, &ids).await? {
        if let DeleteResult::Refused(body) = result {
            return Err(body.into());
        }
    }
    Ok(())
}
