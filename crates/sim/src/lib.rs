//! hoist-sim.
