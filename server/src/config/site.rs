//! Where the site was built.

use leptos::config::{LeptosOptions, get_configuration};

/// What leptos reads from its environment; without one, where the build puts the site.
pub(super) fn options() -> LeptosOptions {
    // Asked first, because leptos prints a page of advice if it has no name.
    if std::env::var_os("LEPTOS_OUTPUT_NAME").is_some()
        && let Ok(file) = get_configuration(None)
    {
        return file.leptos_options;
    }
    LeptosOptions::builder()
        .output_name("hoist")
        .site_root("target/site")
        .build()
}
