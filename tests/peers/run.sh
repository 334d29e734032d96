#!/usr/bin/env bash
# Our echo server and our client against Node's `ws` and Python's `websockets`, which are installed under
# target/peers if they are missing. The last line is `N passed, M failed`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
root=$(cd ../.. && pwd)
export EXAMPLES=${CARGO_TARGET_DIR:-$root/target}/release/examples
venv=${CARGO_TARGET_DIR:-$root/target}/peers/venv

cargo build --release --features tokio,deflate --example echo --example client >&2
[ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --no-audit --no-fund >&2
if [ ! "$venv/installed" -nt requirements.txt ]; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r requirements.txt >&2
  touch "$venv/installed"
fi

passed=0 failed=0
check() { # NAME COMMAND...
  if timeout 60 "${@:2}"; then
    passed=$((passed + 1)) && echo "ok      $1"
  else
    failed=$((failed + 1)) && echo "FAILED  $1"
  fi
}

echo_server() { # ADAPTER, sets url and server
  local log
  log=$(mktemp)
  "$EXAMPLES/echo" --listen 127.0.0.1:0 --adapter "$1" --max-message 1048576 > "$log" 2> /dev/null &
  server=$!
  for _ in $(seq 100); do
    url=$(sed -n 's/^listening on //p' "$log")
    [ -z "$url" ] || break
    sleep 0.05
  done
  rm "$log"
  url=ws://$url/
}
trap 'kill "${server:-}" 2> /dev/null || true' EXIT

for adapter in tokio blocking; do
  echo_server "$adapter"
  check "Node's client and our $adapter server" node client.mjs "$url"
  check "Python's client and our $adapter server" "$venv/bin/python" client.py "$url"
  kill "$server"
done
check "Node's server and our client" node server.mjs "$EXAMPLES/client"
check "Python's server and our client" "$venv/bin/python" server.py "$EXAMPLES/client"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
