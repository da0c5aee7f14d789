//! hoist-store.
