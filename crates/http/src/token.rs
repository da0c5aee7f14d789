//! Tokens for one upload: making and ending them, and letting in whoever has one.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, Request, State, rejection::PathRejection},
    response::Response,
};
use hoist_protocol::{
    ErrorCode, RevokeRequest, RevokeResponse, TokenRequest, TokenResponse, TokenRight,
};
use hoist_store::{Grant, Token};
use http::{HeaderMap, header, request::Parts};

use crate::{Access, ApiError, Rights, answer, body::BodyReader, cancel::parse_id, router::Core};

/// Largest request for a token, in bytes.
const JSON_SIZE: u64 = 16 << 10;
/// What every token of ours begins with. What else an `Authorization` header holds is not for us.
const OURS: &str = "hoist_";

type Id = Result<Path<String>, PathRejection>;

pub(crate) async fn issue(
    State(core): State<Arc<Core>>,
    Extension(access): Extension<Access>,
    path: Id,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let reader = BodyReader::new(&core, &parts, body, JSON_SIZE);
    let id = parse_id(path.ok().map(|Path(id)| id).as_deref())?;
    let request: TokenRequest = reader.json(&core).await?;
    let may = |right| request.may.contains(&right);
    let (send, read, delete) = (
        may(TokenRight::Send),
        may(TokenRight::Read),
        may(TokenRight::Delete),
    );
    access.require(|rights| rights.read || rights.send || rights.delete)?;
    access.require_if(send, |rights| rights.send)?;
    access.require_if(read, |rights| rights.read)?;
    access.require_if(delete, |rights| rights.delete)?;
    let now = core.now();
    let expires = now.plus(request.lifetime);
    let grant = Grant {
        send,
        read,
        delete,
        bytes: request.bytes,
        expires,
    };
    let token = core
        .store
        .issue_token(now, &access.party, id, grant)
        .await?;
    Ok(answer::ok(&TokenResponse {
        token: token.reveal().to_owned(),
        expires: expires.0,
    }))
}

pub(crate) async fn revoke(
    State(core): State<Arc<Core>>,
    Extension(access): Extension<Access>,
    path: Id,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let reader = BodyReader::new(&core, &parts, body, JSON_SIZE);
    let id = parse_id(path.ok().map(|Path(id)| id).as_deref())?;
    let request: RevokeRequest = reader.json(&core).await?;
    let token = request.token.as_deref().map(|text| {
        Token::parse(text)
            .ok_or_else(|| ApiError::new(ErrorCode::InvalidRequest, "This is no token"))
    });
    let token = token.transpose()?;
    let revoked = core
        .store
        .revoke_tokens(&access.party, id, token.as_ref())
        .await?;
    Ok(answer::ok(&RevokeResponse { revoked }))
}

/// The token of a request, if it has one of ours; what merely looks like one is refused.
pub(crate) fn token(headers: &HeaderMap) -> Option<Result<Token, ApiError>> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    let is_ours = scheme.eq_ignore_ascii_case("bearer") && token.starts_with(OURS);
    is_ours.then(|| Token::parse(token).ok_or_else(worthless))
}

fn worthless() -> ApiError {
    ApiError::new(
        ErrorCode::Unauthorized,
        "This token is not good, or not good any more",
    )
}

/// Who makes a request: the bearer of a token, else whoever [`crate::HttpConfig::authorize`] says.
pub(crate) async fn access(core: &Core, parts: &Parts) -> Result<Access, ApiError> {
    let Some(token) = token(&parts.headers) else {
        return core.config.authorize.access(parts).await;
    };
    let bearer = core.store.bearer(core.now(), &token?).await?;
    let bearer = bearer.ok_or_else(worthless)?;
    Ok(Access {
        rights: Rights {
            send: bearer.grant.send,
            list: false,
            read: bearer.grant.read,
            delete: bearer.grant.delete,
        },
        ..Access::full(bearer.party)
    })
}
