//! Where the site was built.

use std::{
    env,
    path::{Path, PathBuf},
};

use leptos::config::{LeptosOptions, get_configuration};

/// Where the build puts the site.
const BUILT: &str = "target/site";

/// What leptos reads from its environment, and where the site is found.
pub(super) fn options(folder: Option<&Path>) -> LeptosOptions {
    // Asked first, because leptos prints a page of advice if it has no name.
    let said = env::var_os("LEPTOS_OUTPUT_NAME").and_then(|_| {
        get_configuration(None)
            .inspect_err(|error| tracing::warn!(%error, "what LEPTOS_… say cannot be read"))
            .ok()
    });
    let mut options = said.map_or_else(
        || LeptosOptions::builder().output_name("hoist").build(),
        |file| file.leptos_options,
    );
    let root = folder.map_or_else(|| find(&options), Path::to_owned);
    options.site_root = root.to_string_lossy().into();
    options
}

/// Somebody may start the program from any folder: so the site is looked for beside it first, where both were
/// copied to one folder, or as in a checkout (`target/release/hoist`, `target/site`).
fn find(options: &LeptosOptions) -> PathBuf {
    // An empty variable is none.
    let said = env::var_os("LEPTOS_SITE_ROOT").filter(|root| !root.is_empty());
    if let Some(said) = said {
        return said.into();
    }
    let program = env::current_exe().unwrap_or_default();
    program
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join("site"))
        .find(|site| script(site, options).is_file())
        .unwrap_or_else(|| BUILT.into())
}

/// The page's script in a site.
pub(super) fn script(site: &Path, options: &LeptosOptions) -> PathBuf {
    site.join(options.site_pkg_dir.as_ref())
        .join(format!("{}.js", options.output_name))
}

/// Whether a folder, by its absolute path, is another one or in it. It need not be there.
pub(super) fn is_within(folder: &Path, other: &Path) -> bool {
    let real = folder.ancestors().find_map(|there| {
        let rest = folder.strip_prefix(there).ok()?;
        Some(there.canonicalize().ok()?.join(rest))
    });
    real.zip(other.canonicalize().ok())
        .is_some_and(|(folder, other)| folder.starts_with(other))
}
