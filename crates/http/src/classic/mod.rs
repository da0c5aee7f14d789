//! The classic dialect: the three calls of the jQuery plugin that this project descends from.
//!
//! `?action=init`, `upload` and `delete`, at whatever path it is mounted. It translates to calls of
//! the store: it has no state, and what is allowed is the store's. `PROTOCOL.md`, appendix A, has it
//! to the letter.
//!
//! The plugin never tries again what is answered as JSON with an `error`, and always what is not
//! answered with status 200. So a refusal is a 200, and what passes by itself has its status.

mod file;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod init;
mod json;
mod scope;
mod upload;

use std::sync::Arc;

use axum::{
    Extension, Router,
    body::Body,
    extract::{Path, Request, State},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::post,
};
use hoist_protocol::{CreateAnswer, DeleteResult, ErrorBody, ErrorClass, ErrorCode};
use hoist_store::Store;
use http::{StatusCode, header};
use serde::Serialize;

use crate::{
    Access, ApiError, HttpConfig, answer,
    body::BodyReader,
    guard::guard,
    router::{Core, no_route, wrong_method},
    shares::Who,
};
use file::Query;
use scope::Scope;

/// The classic dialect over a store, to be nested at any path.
///
/// Who may do what, origins and limits are those of [`crate::router`]; mount both over one store,
/// and what one takes the other shows. It counts its requests by itself.
///
/// ```
/// # use hoist_axum::HttpConfig;
/// # use hoist_store::{Store, StoreConfig};
/// # let store = Store::memory(StoreConfig::default());
/// let app: axum::Router = axum::Router::new()
///     .nest("/hoist", hoist_axum::router(store.clone(), HttpConfig::default()))
///     .nest("/server.php", hoist_axum::classic(store, HttpConfig::default()));
/// ```
pub fn classic(store: Store, config: HttpConfig) -> Router {
    let core = Arc::new(Core::new(store, config));
    let calls = || post(call).fallback(wrong_method);
    Router::new()
        .route("/", calls())
        .route("/{secret}", calls())
        .fallback(no_route)
        .layer(middleware::from_fn_with_state(Arc::clone(&core), guard))
        .layer(middleware::from_fn(translate))
        .with_state(core)
}

/// Every answer of the dialect.
#[derive(Debug, Default, Serialize)]
struct Answer {
    /// 0, or the status that the native protocol gives such an error.
    error: u16,
    /// For a person.
    msg: String,
    /// For a program; absent if all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<ErrorCode>,
    /// Only of *init*: which files are needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Vec<bool>>,
}

/// One of the three calls.
async fn call(
    State(core): State<Arc<Core>>,
    Extension(access): Extension<Access>,
    secret: Option<Path<String>>,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let query = Query::parse(parts.uri.query().unwrap_or_default());
    let scope = Scope::new(&access, secret.as_ref().map(|Path(secret)| secret.as_str()));
    let data = match query.action() {
        Some("init") => {
            let reader = BodyReader::new(&core, &parts, body, core.config.json_size);
            access.require(|rights| rights.send)?;
            Some(init::init(&core, &scope?, &parts.headers, reader).await?)
        }
        Some("upload") => {
            let part = query.part();
            let limit = part.as_ref().map_or(0, |part| part.range.len());
            let reader = BodyReader::new(&core, &parts, body, limit);
            access.require(|rights| rights.send)?;
            let who = Who::new(&parts, &access.party);
            upload::upload(&core, &scope?, part?, reader, who).await?;
            None
        }
        Some("delete") => {
            // Its body says nothing; it is read to some extent, so that the answer can be read.
            drop(BodyReader::new(&core, &parts, body, 0));
            access.require(|rights| rights.delete)?;
            delete(&core, &scope?, &query).await?;
            None
        }
        _ => {
            drop(BodyReader::new(&core, &parts, body, 0));
            return Err(ApiError::new(
                ErrorCode::InvalidRequest,
                "The address must end with ?action=init, ?action=upload or ?action=delete",
            ));
        }
    };
    Ok(answer::ok(&Answer {
        data,
        ..Answer::default()
    }))
}

/// Cancels or deletes one file, if it is there.
async fn delete(core: &Core, scope: &Scope, query: &Query<'_>) -> Result<(), ApiError> {
    let party = scope.party()?;
    let file = query.file()?;
    let found = core.store.find(core.now(), party, &[file]).await?.pop();
    let id = match found.flatten() {
        Some(CreateAnswer::Needed(needed)) => needed.id,
        Some(CreateAnswer::Present { receipt }) => receipt.id,
        _ => return Ok(()),
    };
    match core.store.delete(core.now(), party, &[id]).await?.pop() {
        Some(DeleteResult::Refused(body)) => Err(body.into()),
        _ => Ok(()),
    }
}

/// Says errors, also those of what stands before the calls, in the dialect's words.
async fn translate(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let Some(body) = response.extensions_mut().remove::<ErrorBody>() else {
        return response;
    };
    let answer = Answer {
        error: response.status().as_u16(),
        msg: body.message,
        code: Some(body.code),
        data: None,
    };
    let (mut parts, _) = response.into_parts();
    if body.code.class() != ErrorClass::Wait {
        parts.status = StatusCode::OK;
    }
    parts.headers.remove(header::CONTENT_LENGTH);
    let said = answer::json(parts.status, &answer);
    Response::from_parts(parts, said.into_body())
        .map(Body::new)
        .into_response()
}
