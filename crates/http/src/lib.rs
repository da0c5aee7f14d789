//! hoist-axum.
