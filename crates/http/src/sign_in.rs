//! The page that asks for the password: one field, no script.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request, State},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use hoist_protocol::ErrorCode;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use tokio::time::timeout;

use crate::{
    ApiError, Passwords,
    answer::see_other,
    cookie::{is_https, is_page},
    form::wants_html,
    origin::Origin,
    password::Guess,
};

/// Path of the page and of its form.
const SIGN_IN: &str = "/sign-in";
/// Largest form, in bytes.
const FORM_SIZE: usize = 16 << 10;
/// How long the form may take to come.
const FORM_TIME: Duration = Duration::from_secs(10);

impl Passwords {
    /// Path of the form that ends a session, which has no fields (`POST`).
    pub const SIGN_OUT: &str = "/sign-out";

    /// Adds `/sign-in` and `/sign-out`, and sends whoever asks for another page of `router` without
    /// a session there. What is no page is refused by [`crate::Authorize`] and stays as it is:
    /// scripts, styles and the answers to programs.
    pub fn protect(&self, router: Router) -> Router {
        let sign_in = Router::new()
            .route(SIGN_IN, get(ask).post(sign_in))
            .route(Self::SIGN_OUT, post(sign_out))
            .with_state(self.clone());
        router
            .layer(middleware::from_fn_with_state(self.clone(), gate))
            .merge(sign_in)
    }
}

async fn gate(State(passwords): State<Passwords>, request: Request, next: Next) -> Response {
    if is_page(&request) && passwords.session(request.headers()).is_none() {
        return fresh(see_other(SIGN_IN));
    }
    next.run(request).await
}

async fn ask(State(passwords): State<Passwords>, headers: HeaderMap) -> Response {
    if passwords.session(&headers).is_some() {
        return fresh(see_other(&passwords.config().home));
    }
    page(StatusCode::OK, "")
}

async fn sign_in(State(passwords): State<Passwords>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if let Err(error) = Origin::of(&parts, &[]).check(&parts.method) {
        return error.into_response();
    }
    let reading = Limited::new(body, FORM_SIZE).collect();
    let Ok(Ok(body)) = timeout(FORM_TIME, reading).await else {
        return ApiError::new(
            ErrorCode::InvalidRequest,
            "This is not the form of the page",
        )
        .into_response();
    };
    let body = body.to_bytes();
    let field = form_urlencoded::parse(&body).find(|(name, _)| name == "password");
    let password = field.map(|(_, value)| value).unwrap_or_default();
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    let peer: Option<IpAddr> = peer.map(|ConnectInfo(peer)| peer.ip());
    let refused = |error: ApiError| {
        if !wants_html(&parts.headers) {
            return error.into_response();
        }
        let status = error.status();
        let body = error.into_body();
        let mut response = page(status, &body.message);
        if let Some(ms) = body.retry_after_ms {
            let seconds = HeaderValue::from(ms.div_ceil(1000));
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    };
    match passwords.guess(peer, &password) {
        Guess::Right => {
            let cookie = passwords.begin(is_https(&parts.uri, &parts.headers));
            with_cookie(see_other(&passwords.config().home), cookie)
        }
        Guess::Wrong => refused(ApiError::new(
            ErrorCode::Unauthorized,
            "This is not the password",
        )),
        Guess::TooMany(ms) => refused(
            ApiError::new(
                ErrorCode::RateLimited,
                "Too many wrong passwords; please wait a minute",
            )
            .with_retry_after(ms),
        ),
    }
}

async fn sign_out(State(passwords): State<Passwords>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    if let Err(error) = Origin::of(&parts, &[]).check(&parts.method) {
        return error.into_response();
    }
    let cookie = passwords.end(is_https(&parts.uri, &parts.headers));
    with_cookie(see_other(SIGN_IN), cookie)
}

fn with_cookie(mut response: Response, cookie: Option<HeaderValue>) -> Response {
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    fresh(response)
}

/// Never out of a cache: it depends on a cookie.
fn fresh(mut response: Response) -> Response {
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The page; `problem` is one of our own sentences.
fn page(status: StatusCode, problem: &str) -> Response {
    let mut response = Response::new(Body::from(PAGE.replace("{problem}", problem)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Not `no-referrer`: a browser would then send its form without an origin.
        (header::REFERRER_POLICY, "same-origin"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    fresh(response)
}

/// Nothing may run here. The style stands in the page, into which nothing of a client's is written.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const PAGE: &str = include_str!("sign_in.html");
