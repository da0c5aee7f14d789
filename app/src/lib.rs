//! hoist-app.
