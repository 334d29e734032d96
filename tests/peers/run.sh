#!/usr/bin/env bash
# Our echo server and our client against Node's `ws` and Python's `websockets`, with and without compression. Both are
# installed if they are missing. The last line is `N passed, M failed`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
root=$(cd ../.. && pwd)
export EXAMPLES=${CARGO_TARGET_DIR:-$root/target}/release/examples
venv=${CARGO_TARGET_DIR:-$root/target}/peers/venv

cargo build --release --features tokio,deflate,rustls,socks --example echo --example client >&2
./setup.sh

passed=0 failed=0
check() { # NAME COMMAND...
  if timeout 60 "${@:2}"; then
    passed=$((passed + 1)) && echo "ok      $1"
  else
    failed=$((failed + 1)) && echo "FAILED  $1"
  fi
}

echo_server() { # ADAPTER [FLAG...], sets url and server
  local log
  log=$(mktemp)
  "$EXAMPLES/echo" --listen 127.0.0.1:0 --adapter "$@" --max-message 1048576 > "$log" 2> /dev/null &
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

# Parameters of permessage-deflate (RFC 7692, section 7.1): what their client offers and what their server answers. Our
# client asks for no context takeover in either direction.
none=false
offers=(
  '{}'
  '{"server_no_context_takeover": true}'
  '{"client_no_context_takeover": true}'
  '{"server_max_window_bits": 9, "client_max_window_bits": 10}'
  '{"server_max_window_bits": 10, "client_max_window_bits": 9}'
  '{"server_no_context_takeover": true, "client_no_context_takeover": true, "server_max_window_bits": 9}'
)
answers=(
  '{}'
  '{"server_max_window_bits": 9, "client_max_window_bits": 10}'
  '{"server_max_window_bits": 10, "client_max_window_bits": 9}'
  '{"client_max_window_bits": 8}'
)

theirs_with_our_server() { # PARAMETERS ADAPTER [FLAG]
  local ours="our $2 server${3:+ $3}"
  check "$ours, Node's client with compression: $1" node client.mjs "$url" "$1"
  check "$ours, Python's client with compression: $1" "$venv/bin/python" client.py "$url" "$1"
}
for adapter in tokio blocking; do
  echo_server "$adapter"
  theirs_with_our_server "$none" "$adapter"
  kill "$server"
  echo_server "$adapter" --deflate
  for parameters in "$none" "${offers[@]}"; do
    theirs_with_our_server "$parameters" "$adapter" --deflate
  done
  kill "$server"
done

theirs_with_our_client() { # PARAMETERS [FLAG]
  local ours="our client${2:+ $2}"
  check "$ours, Node's server with compression: $1" node server.mjs "$1" "$EXAMPLES/client" "${@:2}"
  check "$ours, Python's server with compression: $1" "$venv/bin/python" server.py "$1" "$EXAMPLES/client" "${@:2}"
}
theirs_with_our_client "$none"
theirs_with_our_client '{}'
for parameters in "$none" "${answers[@]}"; do
  theirs_with_our_client "$parameters" --deflate
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
