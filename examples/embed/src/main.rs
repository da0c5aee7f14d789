//! The server: pages and uploads beside each other.

use std::{error::Error, path::Path};

use axum::{
    Router,
    extract::{Request, State},
    response::Response,
    routing::get,
};
use gallery::{App, UPLOADS};
use hoist_axum::{HttpConfig, ServeConfig, listing};
use hoist_store::{Store, StoreConfig};
use leptos::prelude::*;
use leptos_meta::{HashedStylesheet, MetaTags};

#[derive(Clone)]
struct Host {
    store: Store,
    uploads: HttpConfig,
    leptos: LeptosOptions,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Rendering spawns tasks.
    any_spawner::Executor::init_tokio()?;
    let leptos = get_configuration(None)?.leptos_options;
    let uploads = HttpConfig::default();
    let folder = std::env::var("GALLERY_DATA").unwrap_or_else(|_| "data".to_owned());
    let now = uploads.clock.now();
    let store = Store::open(Path::new(&folder), StoreConfig::default(), now).await?;
    let listener = tokio::net::TcpListener::bind(leptos.site_addr).await?;
    let host = Host {
        store: store.clone(),
        uploads: uploads.clone(),
        leptos: leptos.clone(),
    };
    let files: Router = Router::new()
        .fallback(leptos_axum::file_and_error_handler::<LeptosOptions, _>(
            shell,
        ))
        .with_state(leptos);
    let pages: Router = Router::new().route("/", get(page)).with_state(host);
    let app = pages
        .nest(UPLOADS, hoist_axum::router(store, uploads))
        .fallback_service(files);
    let stop = async { drop(tokio::signal::ctrl_c().await) };
    hoist_axum::serve(listener, app, ServeConfig::default(), stop).await?;
    Ok(())
}

/// Renders the page with what this visitor has.
async fn page(State(host): State<Host>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let now = host.uploads.clock.now();
    let list = match host.uploads.authorize.access(&parts).await {
        Ok(access) => listing(&host.store, &access, 50, now).await,
        Err(error) => Err(error),
    };
    let list = list.unwrap_or_default();
    let context = move || provide_context(list.clone());
    let render =
        leptos_axum::render_app_async_with_context(context, move || shell(host.leptos.clone()));
    render(Request::from_parts(parts, body)).await
}

fn shell(options: LeptosOptions) -> impl IntoView {
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <title>"Gallery"</title>
                <link rel="icon" href="data:,"/>
                <HashedStylesheet options=options.clone() id="leptos"/>
                <AutoReload options=options.clone()/>
                <HydrationScripts options/>
                <MetaTags/>
            </head>
            <body>
                <App/>
            </body>
        </html>
    }
}
