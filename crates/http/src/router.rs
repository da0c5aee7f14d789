//! The table of routes.

use std::sync::Arc;

use axum::{
    Router,
    extract::Request,
    middleware,
    routing::{MethodRouter, delete, get, post},
};
use hoist_protocol::{ErrorCode, Millis, route};
use hoist_store::Store;
use http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    ApiError, HttpConfig, cancel, create, download, form, form_delete,
    guard::guard,
    limits, list, pack, status, token,
    transfers::{Transfer, Transfers, Who, hands_full},
    zip,
};

/// What every handler has at hand.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) store: Store,
    pub(crate) config: HttpConfig,
    /// Requests that carry bytes.
    transfers: Arc<Transfers>,
    /// One permit per KiB of JSON in memory.
    json: Arc<Semaphore>,
}

impl Core {
    pub(crate) fn new(store: Store, config: HttpConfig) -> Self {
        let json = usize::try_from(config.json_memory >> 10).unwrap_or(usize::MAX);
        Self {
            store,
            transfers: Transfers::new(config.transfers),
            json: Arc::new(Semaphore::new(json.clamp(1, Semaphore::MAX_PERMITS))),
            config,
        }
    }

    pub(crate) fn now(&self) -> Millis {
        self.config.clock.now()
    }

    /// Room for some more bytes of JSON, held while they are in memory.
    pub(crate) fn json_room(&self, bytes: usize) -> Result<OwnedSemaphorePermit, ApiError> {
        let kib = u32::try_from(bytes.div_ceil(1 << 10)).unwrap_or(u32::MAX);
        Arc::clone(&self.json)
            .try_acquire_many_owned(kib)
            .map_err(|_| hands_full())
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
    Router::new()
        .route(route::UPLOADS, closed(post(create::create).get(list::list)))
        .route(route::STATUS, closed(post(status::status)))
        .route(route::DELETE, closed(post(cancel::delete_many)))
        .route(route::RESTORE, closed(post(cancel::restore)))
        .route("/uploads/{id}", closed(delete(cancel::delete_one)))
        .route("/uploads/{id}/tokens", closed(post(token::issue)))
        .route("/uploads/{id}/tokens/revoke", closed(post(token::revoke)))
        .route(route::PACKS, closed(post(pack::send_pack)))
        .route("/files/{id}/{name}", closed(get(download::download)))
        .route(route::FORM, closed(post(form::form)))
        .route(route::FORM_DELETE, closed(post(form_delete::delete)))
        .route(route::ZIP, closed(get(zip::all)))
        .route("/zip/{*folder}", closed(get(zip::folder)))
        .route(route::LIMITS, closed(get(limits::limits)))
        .fallback(no_route)
        .layer(middleware::from_fn_with_state(Arc::clone(&core), guard))
        .with_state(core)
}

/// Answers all other methods in JSON, too.
fn closed(methods: MethodRouter<Arc<Core>>) -> MethodRouter<Arc<Core>> {
    methods.fallback(wrong_method)
}

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
