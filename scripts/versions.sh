# Versions of the tools that are not in Cargo.lock or package-lock.json. Sourced by other scripts.
# wasm-bindgen is not here: its program must be exactly as old as the crate in Cargo.lock.
# shellcheck disable=SC2034 # used where this is sourced
CARGO_LEPTOS_VERSION=0.3.10
CARGO_DENY_VERSION=0.18.4
CARGO_FUZZ_VERSION=0.13.2
B3SUM_VERSION=1.8.7
BINARYEN_VERSION=132.0.0
# Peers of `make bench`; those from npm are in bench/package-lock.json.
RUSTUS_VERSION=0.5.10
COPYPARTY_VERSION=1.20.26
