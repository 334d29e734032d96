#!/usr/bin/env bash
# The examples in a real browser: builds them, installs what is missing (see setup.sh), and runs
# http2.mjs (hyper) and chat.mjs (chat and echo), each of which ends with `N passed, M failed`; a name runs that one, as
# `run.sh http2`. For a Debian, as root when something is to be installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

./setup.sh

scripts=("$@")
(($#)) || scripts=(http2 chat)
failed=0
for script in "${scripts[@]}"; do
  case $script in
    http2) cargo build --release --manifest-path ../../examples/stacks/Cargo.toml --example hyper >&2 ;;
    *) cargo build --release --features tokio,deflate --example chat --example echo >&2 ;;
  esac
  node "$script.mjs" || failed=1
done
exit "$failed"
