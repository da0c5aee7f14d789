//! Tests of the engine as a whole: scripts, random schedules of faults, and nonsense.

mod bench;
mod fuzz;
mod lines;
mod network;
mod property;
mod scripts;
mod server;
mod smaller_chunks;
mod whole_files;
