//! The document around the page, and the policy it is served with.

use axum::http::{HeaderValue, header};
use leptos::{nonce::use_nonce, prelude::*};
use leptos_axum::ResponseOptions;

use crate::{
    App,
    plain::{self, Plain},
};

/// The whole document. Writes the content security policy into the answer.
///
/// The scripts are our own and not leptos's `HydrationScripts`, which writes the nonce where
/// `crossorigin` takes no such value, so that the wasm is fetched twice (leptos-rs/leptos#4843).
pub fn shell(options: LeptosOptions) -> impl IntoView {
    let nonce = use_nonce()
        .map(|nonce| nonce.to_string())
        .unwrap_or_default();
    if let Some(response) = use_context::<ResponseOptions>()
        && let Ok(policy) = HeaderValue::from_str(&policy(&nonce))
    {
        response.insert_header(header::CONTENT_SECURITY_POLICY, policy);
    }
    let plain = use_context::<Plain>().map(plain::view);
    let pkg = format!("/{}/{}", options.site_pkg_dir, options.output_name);
    let (js, wasm, css) = (
        format!("{pkg}.js"),
        format!("{pkg}.wasm"),
        format!("{pkg}.css"),
    );
    let script = format!(
        "import start, {{ hydrate }} from {js:?};\nstart({{ module_or_path: {wasm:?} }}).then(() => hydrate());"
    );
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content="light dark"/>
                <title>"Hoist"</title>
                <meta name="description" content="Resumable, verified file upload"/>
                <link rel="icon" href="/favicon.svg" type="image/svg+xml"/>
                <link rel="stylesheet" href=css/>
                <link rel="modulepreload" href=js/>
                <link rel="preload" href=wasm r#as="fetch" r#type="application/wasm" crossorigin="anonymous"/>
                <AutoReload options/>
                <script type="module" nonce=nonce>
                    {script}
                </script>
            </head>
            <body>
                <App/>
                {plain}
            </body>
        </html>
    }
}

/// Everything from here, scripts with the nonce of this answer, and wasm.
fn policy(nonce: &str) -> String {
    // `cargo leptos watch` tells the page of changes over a socket of another port.
    let reload = if std::env::var_os("LEPTOS_WATCH").is_some() {
        " ws: wss:"
    } else {
        ""
    };
    format!(
        "default-src 'self'; script-src 'self' 'nonce-{nonce}' 'wasm-unsafe-eval'; connect-src 'self'{reload}; \
         img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
}
