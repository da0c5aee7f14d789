//! The server: the page, its files and the uploads.

use std::{error::Error, path::Path};

use axum::{Router, routing::get};
use hoist_axum::{HttpConfig, ServeConfig};
use hoist_store::{Store, StoreConfig};
use islands::App;
use leptos::prelude::*;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Rendering spawns tasks.
    any_spawner::Executor::init_tokio()?;
    let options = get_configuration(None)?.leptos_options;
    let uploads = HttpConfig::default();
    let folder = std::env::var("ISLANDS_DATA").unwrap_or_else(|_| "data".to_owned());
    let now = uploads.clock.now();
    let store = Store::open(Path::new(&folder), StoreConfig::default(), now).await?;
    let listener = tokio::net::TcpListener::bind(options.site_addr).await?;
    let page = options.clone();
    let app = Router::new()
        .route(
            "/",
            get(leptos_axum::render_app_async(move || shell(page.clone()))),
        )
        .fallback(leptos_axum::file_and_error_handler(shell))
        .with_state(options)
        .nest("/hoist", hoist_axum::router(store, uploads));
    let stop = async { drop(tokio::signal::ctrl_c().await) };
    hoist_axum::serve(listener, app, ServeConfig::default(), stop).await?;
    Ok(())
}

fn shell(options: LeptosOptions) -> impl IntoView {
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <title>"Islands"</title>
                <link rel="icon" href="data:,"/>
                <link rel="stylesheet" href="/pkg/islands.css"/>
                <HydrationScripts options islands=true/>
            </head>
            <body>
                <App/>
            </body>
        </html>
    }
}
