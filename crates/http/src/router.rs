//! The table of routes.

use std::sync::Arc;

use axum::{
    Router,
    extract::Request,
    middleware,
    routing::{MethodFilter, MethodRouter, on},
};
use hoist_protocol::{ErrorCode, Millis, route};
use hoist_store::Store;
use http::{Method, StatusCode};
use tokio::sync::Semaphore;

use crate::{
    ApiError, HttpConfig, cancel, create, download, form, form_delete,
    guard::guard,
    limits, list, pack,
    shares::Who,
    socket, status, token,
    transfers::{Transfer, Transfers},
    zip,
};

/// What every handler has at hand.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) store: Store,
    pub(crate) config: HttpConfig,
    /// Requests that carry bytes.
    transfers: Arc<Transfers>,
    /// Bytes of JSON in memory.
    json: Arc<Transfers>,
    /// Room for WebSockets.
    pub(crate) sockets: Arc<Semaphore>,
}

impl Core {
    pub(crate) fn new(store: Store, config: HttpConfig) -> Self {
        let json = usize::try_from(config.json_memory).unwrap_or(usize::MAX);
        Self {
            store,
            transfers: Transfers::new(config.transfers),
            json: Transfers::new(json),
            sockets: Arc::new(Semaphore::new(config.sockets.min(Semaphore::MAX_PERMITS))),
            config,
        }
    }

    pub(crate) fn now(&self) -> Millis {
        self.config.clock.now()
    }

    /// Room for JSON, which grows with what comes, and is held while it is in memory.
    pub(crate) fn json_room(&self, who: Who) -> Transfer {
        self.json.enter(self.now(), who)
    }

    /// Room for one more request that carries bytes, held while it does.
    pub(crate) fn transfer(&self, who: Who) -> Result<Transfer, ApiError> {
        self.transfers.begin(self.now(), who)
    }
}

/// The native protocol over a store, to be nested below any prefix.
///
/// Every answer, also to an unknown route or a wrong method, is JSON with a code, but for finished
/// files and the redirect after a form.
///
/// The router takes care of limits, time-outs of bodies, origins and disconnects. It does not limit
/// how long request headers take: an accept loop does, as [`crate::serve`].
///
/// # Examples
///
/// ```
/// use axum::{Router, body::Body};
/// use hoist_axum::{HttpConfig, router};
/// use hoist_store::{Store, StoreConfig};
/// use http::Request;
/// use tower::ServiceExt as _;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let store = Store::memory(StoreConfig::default());
/// let app = Router::new().nest("/hoist", router(store, HttpConfig::default()));
/// let answer = app.oneshot(Request::get("/hoist/limits").body(Body::empty())?).await?;
/// assert_eq!(answer.status(), 200);
/// assert_eq!(answer.headers()["content-type"], "application/json");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn router(store: Store, config: HttpConfig) -> Router {
    let core = Arc::new(Core::new(store, config));
    let mut router = Router::new();
    for route in ROUTES {
        let (_, filter) = route.method;
        router = router.route(route.path, (route.answer)(filter));
    }
    router
        .method_not_allowed_fallback(wrong_method)
        .fallback(no_route)
        .layer(middleware::from_fn_with_state(Arc::clone(&core), guard))
        .with_state(core)
}

/// All that [`router`] answers to: methods, and paths below its prefix. Where `GET` is answered, `HEAD` is.
///
/// For a proxy or a test that has to know each of them.
///
/// ```
/// assert!(hoist_axum::routes().any(|(method, path)| method == "POST" && path == "/packs"));
/// ```
pub fn routes() -> impl Iterator<Item = (Method, &'static str)> {
    ROUTES
        .iter()
        .map(|route| (route.method.0.clone(), route.path))
}

/// Puts a handler behind a method.
type Answer = fn(MethodFilter) -> MethodRouter<Arc<Core>>;

/// One way in.
struct Route {
    method: (Method, MethodFilter),
    path: &'static str,
    answer: Answer,
}

impl Route {
    const fn get(path: &'static str, answer: Answer) -> Self {
        let method = (Method::GET, MethodFilter::GET);
        Self {
            method,
            path,
            answer,
        }
    }

    const fn post(path: &'static str, answer: Answer) -> Self {
        let method = (Method::POST, MethodFilter::POST);
        Self {
            method,
            path,
            answer,
        }
    }

    const fn delete(path: &'static str, answer: Answer) -> Self {
        let method = (Method::DELETE, MethodFilter::DELETE);
        Self {
            method,
            path,
            answer,
        }
    }
}

/// All ways in: the router is made of this, and so is the table of who gets in where (`tests/it/table.rs`).
static ROUTES: &[Route] = &[
    Route::post(route::UPLOADS, |m| on(m, create::create)),
    Route::get(route::UPLOADS, |m| on(m, list::list)),
    Route::post(route::STATUS, |m| on(m, status::status)),
    Route::post(route::DELETE, |m| on(m, cancel::delete_many)),
    Route::post(route::RESTORE, |m| on(m, cancel::restore)),
    Route::delete("/uploads/{id}", |m| on(m, cancel::delete_one)),
    Route::post("/uploads/{id}/tokens", |m| on(m, token::issue)),
    Route::post("/uploads/{id}/tokens/revoke", |m| on(m, token::revoke)),
    Route::post(route::PACKS, |m| on(m, pack::send_pack)),
    Route::get(route::SOCKET, |m| on(m, socket::open)),
    Route::get("/files/{id}/{name}", |m| on(m, download::download)),
    Route::post(route::FORM, |m| on(m, form::form)),
    Route::post(route::FORM_DELETE, |m| on(m, form_delete::delete)),
    Route::get(route::ZIP, |m| on(m, zip::all)),
    Route::get("/zip/{*folder}", |m| on(m, zip::folder)),
    Route::get(route::LIMITS, |m| on(m, limits::limits)),
];

pub(crate) async fn no_route() -> ApiError {
    ApiError::new(ErrorCode::NotFound, "There is nothing at this address")
}

pub(crate) async fn wrong_method(request: Request) -> ApiError {
    let method = request.method();
    ApiError::new(
        ErrorCode::NotSupported,
        format!("This address does not answer {method}"),
    )
    .with_status(StatusCode::METHOD_NOT_ALLOWED)
}
