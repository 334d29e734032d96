#!/usr/bin/env bash
# Makes docs/chat.png again: two windows of the chat example, in Chromium. Beside it, in target/pictures, docs/layers.svg
# as a browser shows it in light and in dark. Installs what is missing; docs/layers.svg itself is written by hand, and the
# charts of measurements are made by `benches/peers`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
target=${CARGO_TARGET_DIR:-$(cd .. && pwd)/target}

../tests/browser/setup.sh
../tests/packages.sh pngquant
cargo build --release --features tokio,deflate --example chat >&2
mkdir -p "$target/pictures"
"$target/release/examples/chat" --listen 127.0.0.1:0 > "$target/pictures/chat.log" &
trap 'kill %1' EXIT
for _ in {1..100}; do
  url=$(sed -n 's/^listening on //p' "$target/pictures/chat.log")
  [ -z "$url" ] || break
  sleep 0.05
done
node pictures.mjs "$url" "$target/pictures"
pngquant --force --speed 1 --strip --output chat.png "$target/pictures/chat.png"
ls -l chat.png "$target"/pictures/*.png
