//! Where the site was built.

use std::{
    env,
    path::{Path, PathBuf},
};

use leptos::config::{LeptosOptions, get_configuration};

/// Where the build puts the site.
const BUILT: &str = "target/site";

/// What leptos reads from its environment; without one, where the site is found.
pub(super) fn options(folder: Option<&Path>) -> LeptosOptions {
    // Asked first, because leptos prints a page of advice if it has no name.
    let said = env::var_os("LEPTOS_OUTPUT_NAME")
        .and_then(|_| get_configuration(None).ok())
        .map(|file| file.leptos_options);
    let root = match (folder, &said) {
        (Some(folder), _) => folder.to_owned(),
        (None, Some(said)) => PathBuf::from(said.site_root.as_ref()),
        (None, None) => find(),
    };
    let mut options = said.unwrap_or_else(|| LeptosOptions::builder().output_name("hoist").build());
    options.site_root = root.to_string_lossy().into();
    options
}

/// Somebody may start the program from any folder: so the site is looked for beside it first, where both were
/// copied to one folder, or as in a checkout (`target/release/hoist`, `target/site`).
fn find() -> PathBuf {
    let program = env::current_exe().unwrap_or_default();
    let beside = program
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join("site"));
    let said = env::var_os("LEPTOS_SITE_ROOT").map(PathBuf::from);
    said.unwrap_or_else(|| {
        beside
            .into_iter()
            .find(|folder| folder.join("pkg").is_dir())
            .unwrap_or_else(|| PathBuf::from(BUILT))
    })
}
