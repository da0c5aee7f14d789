#!/usr/bin/env bash
# The three calls of the jQuery plugin with curl, as its README tells them, against a server that
# runs: init in all encodings, parts of uneven size out of order, the same again, a changed size,
# refusals, delete.
#
#   scripts/demo-classic.sh [URL [FILE]]     URL as http://127.0.0.1:3000/server.php
#
# Needs curl. Whoever has no cookie of a server that tells visitors apart adds a secret of their
# own: http://127.0.0.1:3000/server.php/$(openssl rand -hex 16)
set -euo pipefail
url=${1:-http://127.0.0.1:3000/server.php}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

say() { printf '%s\n' "$*"; }
die() { printf 'demo-classic: %s\n' "$*" >&2; exit 1; }

# Percent-encodes the bytes of $1.
encode() { printf '%s' "$1" | od -An -v -tx1 | tr -d ' \n' | sed 's/../%&/g'; }
# Asks $1 (the query, after the question mark), with curl's further arguments; the answer must have status 200.
ask() {
  local query=$1
  shift
  curl --fail --silent --show-error --request POST "$@" "$url?$query"
}
# The answer $2 to the step $1 must be $3.
must() {
  say "   $2"
  [ "$2" = "$3" ] || die "$1: expected $3"
}
# The answer $2 to the step $1 must be a refusal with words.
refused() {
  say "   $2"
  grep -Eq '"error":[1-9][0-9]*,"msg":"[^"]' <<<"$2" || die "$1: expected a refusal"
}

file=${2:-}
if [ -z "$file" ]; then
  file=$tmp/classic-$RANDOM$RANDOM.bin
  head -c 3333333 /dev/urandom >"$file"
fi
name=$(basename "$file")
size=$(wc -c <"$file" | tr -d ' ')
[ "$size" -ge 4 ] || die "the file must have 4 bytes at least"
modified=$(($(date -r "$file" +%s) * 1000))
other=other-$RANDOM$RANDOM.bin

# Asks for the file and for one that is nowhere, $1 being the file's size, in encoding $2.
init() {
  local json="[{\"name\":\"$name\",\"size\":$1,\"lastModified\":$modified},{\"name\":\"$other\",\"size\":7,\"lastModified\":1}]"
  case $2 in
    json) ask action=init --header 'content-type: application/json' --data-binary "$json" ;;
    field) ask action=init --data-urlencode "data=$json" ;;
    brackets)
      ask action=init \
        --data-urlencode "data[0][name]=$name" --data "data[0][size]=$1" --data "data[0][lastModified]=$modified" \
        --data-urlencode "data[1][name]=$other" --data 'data[1][size]=7' --data 'data[1][lastModified]=1'
      ;;
  esac
}
about="size=$size&lastModified=$modified&name=$(encode "$name")"
# Sends the bytes from $1 up to $2 as part $3.
upload() {
  local length=$(($2 - $1))
  tail -c "+$(($1 + 1))" "$file" | head -c "$length" >"$tmp/part"
  ask "action=upload&part=$3&start=$1&length=$length&$about" \
    --header 'content-type: application/octet-stream' --data-binary "@$tmp/part"
}

fine='{"error":0,"msg":""}'
needed='{"error":0,"msg":"","data":[true,true]}'
there='{"error":0,"msg":"","data":[false,true]}'

say "1. init: both files are needed, in every encoding"
for encoding in json field brackets; do
  must "init, $encoding" "$(init "$size" "$encoding")" "$needed"
done

say "2. upload: the end, the beginning, one part twice, the rest"
half=$((size / 2))
quarter=$((size / 4))
must "the second half" "$(upload "$half" "$size" 2)" "$fine"
must "the beginning" "$(upload 0 "$quarter" 0)" "$fine"
must "the beginning again" "$(upload 0 "$quarter" 0)" "$fine"
must "init in between" "$(init "$size" json)" "$needed"
must "the rest" "$(upload "$quarter" "$half" 1)" "$fine"

say "3. init again: the file is there, the other is not"
for encoding in json field brackets; do
  must "init, $encoding" "$(init "$size" "$encoding")" "$there"
done

say "4. init with another size: needed again"
must "changed size" "$(init $((size + 1)) json)" "$needed"

say "5. refusals: status 200, a number and words"
refused "no action" "$(ask '' --data '')"
refused "a part beyond the end" "$(ask "action=upload&part=0&start=$size&length=1&$about" --data x)"
refused "a body of another length" "$(ask "action=upload&part=0&start=0&length=2&$about" --data x)"

say "6. delete another file that is not there, and ask again"
must "delete" "$(ask "action=delete&size=7&lastModified=1&name=$other" --data '')" "$fine"
must "init" "$(init "$size" json)" "$there"

if [ "${KEEP:-}" != 1 ]; then
  say "7. delete: gone, and needed again"
  must "delete" "$(ask "action=delete&$about" --data '')" "$fine"
  must "init" "$(init "$size" json)" "$needed"
fi
say "ok $name"
