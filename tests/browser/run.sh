#!/usr/bin/env bash
# The examples in a real browser: builds them, installs what is missing (Chromium, fonts, playwright-core), and runs
# http2.mjs (hyper) and chat.mjs (chat and echo), each of which ends with `N passed, M failed`; a name runs that one, as
# `run.sh http2`. For a Debian, as root when something is to be installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

missing=()
for package in chromium fonts-noto-cjk fonts-noto-color-emoji; do
  dpkg-query --show --showformat '${db:Status-Status}\n' "$package" 2> /dev/null | grep -qx installed || missing+=("$package")
done
if ((${#missing[@]})); then
  apt-get -qq update >&2
  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y "${missing[@]}" >&2
fi
[ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --no-audit --no-fund >&2

scripts=("$@")
(($#)) || scripts=(http2 chat)
failed=0
for script in "${scripts[@]}"; do
  case $script in
    http2) cargo build --release --features tokio,http,rustls --example hyper >&2 ;;
    *) cargo build --release --features tokio,deflate --example chat --example echo >&2 ;;
  esac
  node "$script.mjs" || failed=1
done
exit "$failed"
