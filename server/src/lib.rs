//! hoist-server.
