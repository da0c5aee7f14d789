//! hoist-leptos.
