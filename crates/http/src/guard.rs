//! What stands before every route: origin, authorisation, and headers of the answer.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, Method, header, request::Parts};

use crate::{Access, ApiError, body::BodyReader, origin::Origin, router::Core, token};

/// Lets a request pass with its [`Access`] in the extensions, or answers it.
pub(crate) async fn guard(State(core): State<Arc<Core>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let origin = Origin::of(&parts, &core.config.allowed_origins);
    let mut added = None;
    let mut response = match check(&core, &origin, &parts).await {
        Ok(Pass::Preflight(response)) => response,
        Ok(Pass::Through(access)) => {
            added = Some(access.response_headers.clone());
            parts.extensions.insert(access);
            next.run(Request::from_parts(parts, body)).await
        }
        Err(error) => {
            refuse(&core, &parts, body);
            error.into_response()
        }
    };
    let headers = response.headers_mut();
    origin.allow(headers);
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    if let Origin::Same | Origin::Foreign = origin {
        // A listed origin may embed; CORS says so.
        headers.insert(
            HeaderName::from_static("cross-origin-resource-policy"),
            HeaderValue::from_static("same-origin"),
        );
    }
    for (name, value) in added.iter().flatten() {
        headers.append(name, value.clone());
    }
    response
}

enum Pass {
    Through(Access),
    Preflight(Response),
}

async fn check(core: &Core, origin: &Origin, parts: &Parts) -> Result<Pass, ApiError> {
    if parts.method == Method::OPTIONS
        && parts
            .headers
            .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
    {
        return origin.preflight(&parts.headers).map(Pass::Preflight);
    }
    origin.check(&parts.method)?;
    token::access(core, parts).await.map(Pass::Through)
}

/// Reads some of the body of a refused request, so that the client gets to read the refusal.
fn refuse(core: &Core, parts: &Parts, body: Body) {
    drop(BodyReader::new(core, parts, body, u64::MAX));
}
