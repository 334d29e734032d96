#!/usr/bin/env bash
# Our two adapters, in both roles, with Chromium, Node's `ws` and Python's `websockets`, straight and behind nginx as
# `examples/nginx.conf` has it. Installs what is missing; the last line is `N passed, M failed`. `pairs.sh WORD...` runs
# those whose line has all the words, as `pairs.sh Chromium nginx`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
target=${CARGO_TARGET_DIR:-$(cd ../.. && pwd)/target}

./setup.sh
../browser/setup.sh
../packages.sh nginx openssl
cargo build --release --features tokio,deflate,rustls --example peer >&2
export PATH=$PATH:/usr/sbin # where nginx is
PEER=$target/release/examples/peer PYTHON=$target/peers/venv/bin/python exec node pairs/pairs.mjs "$@"
