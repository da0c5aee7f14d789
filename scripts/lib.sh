# Shared by the scripts in this folder, which source it first. It ends in the root of the project.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/versions.sh
. scripts/versions.sh

# Ours first: cargo-leptos takes whatever wasm-opt and wasm-bindgen it finds, of any version.
export PATH="$PWD/.tools/bin:$PWD/.tools/node_modules/.bin:$PATH"
[ -d "$HOME/.cargo/bin" ] && case ":$PATH:" in *":$HOME/.cargo/bin:"*) ;; *) export PATH="$PATH:$HOME/.cargo/bin" ;; esac

say() { printf '== %s\n' "$*"; }
die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# The version of a package in Cargo.lock; nothing if it is not there.
locked_version() {
  sed -n "/^name = \"$1\"\$/{n;s/^version = \"\(.*\)\"\$/\1/p;q}" Cargo.lock
}

# The version that a program prints of itself; nothing if there is no such program.
program_version() {
  { "$@" --version 2>/dev/null || true; } | grep -oE ' [0-9]+(\.[0-9]+)*' | head -n 1 | tr -d ' ' || true
}

# Fails unless Rust and Node are there: everything else is installed by scripts/setup.
need_rust() { command -v cargo >/dev/null || die 'Rust is missing: install it with rustup (https://rustup.rs), then call this again'; }
need_node() { command -v npm >/dev/null || die 'Node and npm are missing: install Node 20 or newer, then call this again'; }
