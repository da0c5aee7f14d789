//! The server's side: the router of the pages, and what server functions do.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use hoist_axum::{Access, ApiError, HttpConfig, listing};
use hoist_protocol::{
    DeleteResult, ErrorBody, ErrorCode, ListCounts, ListResponse, Receipt, UploadId,
};
use hoist_store::{ListQuery, Store};
use leptos::{
    config::LeptosOptions,
    context::{provide_context, use_context},
};
use leptos_axum::ResponseOptions;
use tower_http::services::ServeDir;

use crate::{AppError, PageData, plain::Plain, shell};

/// Rows of a first HTML, and of a page of stored files.
const ROWS: u32 = 50;

/// What pages need: the same store and the same rules as the upload protocol beside them.
#[derive(Clone, Debug)]
pub struct Backend {
    /// Where everything is.
    pub store: Store,
    /// Who may do what, and what time it is.
    pub http: HttpConfig,
    /// Where the upload protocol is mounted, as `/hoist`.
    pub endpoint: String,
    /// Where one signs out, as `/sign-out`, if one can.
    pub sign_out: Option<String>,
}

/// The router of the page, its server functions and its static files.
///
/// Mount it beside `hoist_axum::router`, below the same layer that mints visitors' cookies. What
/// leptos needs (`options`) is where the site was built.
pub fn pages(backend: Backend, options: LeptosOptions) -> Router {
    // Rendering spawns; whoever has set an executor already keeps it.
    let _ = any_spawner::Executor::init_tokio();
    let files = ServeDir::new(options.site_root.as_ref())
        .append_index_html_on_directories(false)
        .precompressed_br()
        .precompressed_gzip();
    let state = Arc::new(Pages { backend, options });
    Router::new()
        .route("/", get(page))
        .route(
            "/api/{*function}",
            post(call).route_layer(middleware::from_fn(same_origin)),
        )
        .with_state(state)
        .fallback_service(
            Router::new()
                .fallback_service(files)
                .layer(middleware::map_response(revalidate)),
        )
}

struct Pages {
    backend: Backend,
    options: LeptosOptions,
}

/// Renders the page with what this visitor has.
async fn page(State(pages): State<Arc<Pages>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let backend = &pages.backend;
    // Whoever may not list, or has to sign in, sees the page without a list.
    let access = backend.http.authorize.access(&parts).await.ok();
    let list = match &access {
        Some(access) => listing(&backend.store, access, ROWS, backend.http.clock.now())
            .await
            .unwrap_or_default(),
        None => ListResponse::default(),
    };
    let data = PageData {
        endpoint: backend.endpoint.clone(),
        list,
    };
    let plain = plain(backend, access.as_ref(), &parts).await;
    let options = pages.options.clone();
    let render = leptos_axum::render_app_async_with_context(
        move || {
            provide_context(data.clone());
            provide_context(plain.clone());
        },
        move || shell(options.clone()),
    );
    let mut response = render(Request::from_parts(parts, body)).await;
    let headers = response.headers_mut();
    // A nonce and somebody's list: for nobody else and not for later.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    harden(headers);
    if let Some(access) = access {
        add(headers, access.response_headers);
    }
    response
}

/// What the page shows beside the component, also without a script.
async fn plain(backend: &Backend, access: Option<&Access>, parts: &Parts) -> Plain {
    let query = parts.uri.query().unwrap_or_default();
    let after = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("after="));
    let files = match access {
        Some(access) => {
            let caller = Caller {
                backend: backend.clone(),
                access: access.clone(),
            };
            // What is no page of the list, or not theirs to see, is an empty one.
            let files = caller.finished_files(after.map(str::to_owned)).await;
            files.unwrap_or_default()
        }
        None => ListResponse::default(),
    };
    Plain {
        endpoint: backend.endpoint.clone(),
        files,
        problem: hoist_axum::form_problem(query),
        sign_out: backend.sign_out.clone(),
    }
}

/// Calls a server function.
async fn call(State(pages): State<Arc<Pages>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let caller = match pages.backend.http.authorize.access(&parts).await {
        Ok(access) => Caller {
            backend: pages.backend.clone(),
            access,
        },
        Err(error) => return error.into_response(),
    };
    let renewed = caller.access.response_headers.clone();
    let context = move || provide_context(caller.clone());
    let request = Request::from_parts(parts, body);
    let mut response = leptos_axum::handle_server_fns_with_context(context, request)
        .await
        .into_response();
    add(response.headers_mut(), renewed);
    response
}

/// Lets only pages of ours call: a browser sends the visitor's rights along for any page.
async fn same_origin(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    if is_foreign(&parts) {
        return ApiError::new(ErrorCode::Forbidden, "This page may not send requests here")
            .into_response();
    }
    next.run(Request::from_parts(parts, body)).await
}

fn is_foreign(parts: &Parts) -> bool {
    let text = |name| {
        parts
            .headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    if let Some(site) = text("sec-fetch-site") {
        return !matches!(site, "same-origin" | "none");
    }
    match (text("origin"), text("host")) {
        (None, _) => false,
        (Some(origin), Some(host)) => origin
            .split_once("://")
            .is_none_or(|(_, authority)| !authority.eq_ignore_ascii_case(host)),
        (Some(_), None) => true,
    }
}

/// Static files keep their names when they change, so a browser asks whether they have.
async fn revalidate(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    harden(headers);
    if response.status() == StatusCode::NOT_FOUND {
        *response.body_mut() = Body::from("There is nothing here.\n");
    }
    response
}

fn harden(headers: &mut HeaderMap) {
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("same-origin"),
    );
}

fn add(headers: &mut HeaderMap, more: HeaderMap) {
    let mut last = None;
    for (name, value) in more {
        last = name.or(last);
        if let Some(name) = &last {
            headers.append(name, value);
        }
    }
}

/// Who calls a server function, and where.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    backend: Backend,
    access: Access,
}

impl Caller {
    /// The one of this request.
    pub(crate) fn current() -> Result<Self, AppError> {
        use_context().ok_or_else(|| refusal(ErrorCode::Internal, "Server functions are not set up"))
    }

    fn may(is_allowed: bool) -> Result<(), AppError> {
        if is_allowed {
            Ok(())
        } else {
            Err(refusal(ErrorCode::Forbidden, "You may not do this here"))
        }
    }

    pub(crate) async fn finished_files(
        &self,
        after: Option<String>,
    ) -> Result<ListResponse, AppError> {
        Self::may(self.access.rights.list)?;
        let query = ListQuery {
            after,
            limit: ROWS,
            finished_only: true,
        };
        self.backend
            .store
            .list(self.backend.http.clock.now(), &self.access.party, &query)
            .await
            .map_err(refused)
    }

    pub(crate) async fn delete(&self, ids: &[UploadId]) -> Result<Vec<DeleteResult>, AppError> {
        Self::may(self.access.rights.delete)?;
        let now = self.backend.http.clock.now();
        self.backend
            .store
            .delete(now, &self.access.party, ids)
            .await
            .map_err(refused)
    }

    pub(crate) async fn restore(&self, ids: &[UploadId]) -> Result<Vec<DeleteResult>, AppError> {
        Self::may(self.access.rights.delete)?;
        let now = self.backend.http.clock.now();
        self.backend
            .store
            .restore(now, &self.access.party, ids)
            .await
            .map_err(refused)
    }

    pub(crate) async fn rename(&self, id: UploadId, name: &str) -> Result<Receipt, AppError> {
        Self::may(self.access.rights.delete)?;
        let now = self.backend.http.clock.now();
        self.backend
            .store
            .rename(now, &self.access.party, id, name)
            .await
            .map_err(refused)
    }

    pub(crate) async fn storage_used(&self) -> Result<ListCounts, AppError> {
        Self::may(self.access.rights.list)?;
        let query = ListQuery {
            limit: 1,
            ..ListQuery::default()
        };
        let now = self.backend.http.clock.now();
        let list = self
            .backend
            .store
            .list(now, &self.access.party, &query)
            .await
            .map_err(refused)?;
        Ok(list.counts)
    }
}

/// The store's words, through the one table that logs what a person must not read.
fn refused(error: hoist_store::StoreError) -> AppError {
    said(ApiError::from(error).into_body())
}

/// A refusal under its own status: by itself a server function that fails is a 500, as if we had.
fn said(body: ErrorBody) -> AppError {
    if let Some(response) = use_context::<ResponseOptions>()
        && let Ok(status) = StatusCode::from_u16(body.code.status())
    {
        response.set_status(status);
    }
    AppError::Refused(body)
}

/// A refusal of our own.
fn refusal(code: ErrorCode, message: &str) -> AppError {
    said(ErrorBody {
        code,
        message: message.to_owned(),
        retry_after_ms: None,
    })
}
