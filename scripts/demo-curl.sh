#!/usr/bin/env bash
# The whole protocol with curl, against a server that runs: create, packs out of order, the same
# again, status, download, compare.
#
#   scripts/demo-curl.sh [URL [FILE]]     URL as http://127.0.0.1:3000/hoist
#
# Needs curl, and b3sum or cargo. HOIST_CHECKSUMS names a ready `checksums` example to save a build.
set -euo pipefail
url=${1:-http://127.0.0.1:3000/hoist}
root=$(cd "$(dirname "$0")/.." && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

say() { printf '%s\n' "$*"; }
die() { printf 'demo-curl: %s\n' "$*" >&2; exit 1; }

# Sends $1 with the content type $2 to $3.
post() { curl --fail-with-body --silent --show-error --data-binary "@$1" --header "content-type: $2" "$url$3"; }
json() { printf '%s' "$2" >"$tmp/json"; post "$tmp/json" application/json "$1"; }
# The first value of the field $1 in the JSON on standard input.
field() { sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p" | head -n 1; }

# Lines `index length checksum`, then the hash as b3sum prints it.
checksums() {
  if [ -n "${HOIST_CHECKSUMS:-}" ]; then
    "$HOIST_CHECKSUMS" "$1" "$2"
  else
    cargo run --quiet --manifest-path "$root/Cargo.toml" --package hoist-protocol --example checksums -- "$1" "$2"
  fi
}
hash_of() {
  if command -v b3sum >/dev/null; then b3sum <"$1"; else checksums "$1" 1048576 | tail -n 1; fi | cut -d ' ' -f 1
}

file=${2:-}
if [ -z "$file" ]; then
  file=$tmp/demo-$RANDOM$RANDOM.bin
  head -c 3333333 /dev/urandom >"$file"
fi
name=$(basename "$file")
size=$(wc -c <"$file" | tr -d ' ')
[ "$size" -gt 0 ] || die "a file of 0 bytes needs no pack"
sender=demo-$$-$RANDOM
modified=$(($(date -r "$file" +%s) * 1000))

say "1. create $name, $size bytes"
create="{\"sender\":\"$sender\",\"files\":[{\"name\":\"$name\",\"size\":$size,\"lastModified\":$modified,\"chunkSize\":262144}]}"
answer=$(json /uploads "$create")
say "   $answer"
[ "$(field answer <<<"$answer")" = needed ] || die "the server needs no bytes of this file"
id=$(field id <<<"$answer")
chunk_size=$(field chunkSize <<<"$answer")
count=$(((size + chunk_size - 1) / chunk_size))
checksums "$file" "$chunk_size" >"$tmp/sums"

# Sends one pack with the chunks $2 …, as attempt $1.
send_pack() {
  local attempt=$1 chunks='' index length sum manifest
  shift
  : >"$tmp/bytes"
  for index in "$@"; do
    read -r _ length sum < <(sed -n "$((index + 1))p" "$tmp/sums")
    chunks+="${chunks:+,}{\"upload\":\"$id\",\"index\":$index,\"length\":$length,\"checksum\":\"$sum\"}"
    dd if="$file" bs="$chunk_size" skip="$index" count=1 status=none >>"$tmp/bytes"
  done
  manifest="{\"sender\":\"$sender\",\"attempt\":$attempt,\"chunks\":[$chunks]}"
  # Four bytes, big-endian: how long the manifest is.
  printf "$(printf '\\x%02x\\x%02x\\x%02x\\x%02x' \
    $((${#manifest} >> 24 & 255)) $((${#manifest} >> 16 & 255)) $((${#manifest} >> 8 & 255)) $((${#manifest} & 255)))" >"$tmp/pack"
  printf '%s' "$manifest" >>"$tmp/pack"
  cat "$tmp/bytes" >>"$tmp/pack"
  post "$tmp/pack" application/octet-stream /packs
}

say "2. $count chunks of $chunk_size bytes, the last first, the odd ones next, the even ones at the end"
order=$(for ((i = count - 2; i >= 0; i--)); do [ $((i % 2)) = 1 ] && say "$i" || true; done
  for ((i = count - 2; i >= 0; i--)); do [ $((i % 2)) = 0 ] && say "$i" || true; done)
if [ "$count" -gt 1 ]; then
  answer=$(send_pack 0 $((count - 1)))
  say "   $answer"
  # Two chunks a pack, but for the very last one.
  set -- $order
  while [ $# -gt 1 ]; do
    if [ $# -gt 2 ]; then answer=$(send_pack 0 "$1" "$2") && shift 2; else answer=$(send_pack 0 "$1") && shift; fi
    grep -q refused <<<"$answer" && die "a chunk was refused: $answer"
  done

  say "3. status, before the last pack"
  say "   $(json /uploads/status "{\"ids\":[\"$id\"]}")"

  say "4. the first pack again, as after a lost answer: acknowledged, and not written again"
  answer=$(send_pack 1 $((count - 1)))
  say "   $answer"
  last=$1
else
  last=0
fi

say "5. the last missing chunk completes the file"
answer=$(send_pack 1 "$last")
say "   $answer"
hash=$(field hash <<<"$answer")
stored=$(field storedAs <<<"$answer")
[ -n "$hash" ] || die "there is no receipt in the answer"

say "6. download"
curl --fail --silent --show-error --output "$tmp/back" "$url/files/$id/$name"
cmp "$file" "$tmp/back" || die "what came back is another file"
[ "$(hash_of "$file")" = "$hash" ] || die "the receipt's hash is not the file's"

say "7. the same create again: already there, nothing to send"
answer=$(json /uploads "$create")
[ "$(field answer <<<"$answer")" = present ] || die "the file is not known any more: $answer"

say "ok $hash $stored"
