#!/usr/bin/env bash
# Installs what drives a real browser, if it is missing: Chromium, fonts, playwright-core.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

../packages.sh chromium fonts-noto-cjk fonts-noto-color-emoji
[ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --no-audit --no-fund >&2
