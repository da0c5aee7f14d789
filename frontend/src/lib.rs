//! hoist-frontend.
