#!/usr/bin/env bash
# Installs Node's `ws` and Python's `websockets`, if they are missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
venv=${CARGO_TARGET_DIR:-$(cd ../.. && pwd)/target}/peers/venv

[ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --no-audit --no-fund >&2
if [ ! "$venv/installed" -nt requirements.txt ]; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r requirements.txt >&2
  touch "$venv/installed"
fi
