#!/usr/bin/env bash
# Lets the Autobahn test suite loose on our server or our client: run.sh server|client tokio|blocking [GROUP...]
#
# All its groups, or those that are named, as `run.sh server tokio 9 12`.
# Prints a table and, last, `N passed, M failed`; fails unless every case passed. See README.md beside it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

all="1 2 3 4 5 6 7 9 10 12 13"
usage() { echo "usage: $0 server|client tokio|blocking [GROUP...], of the groups $all" >&2; exit 2; }

case ${1:-}-${2:-} in
  server-tokio | server-blocking) side=$1 adapter=$2 example=echo ;;
  client-tokio | client-blocking) side=$1 adapter=$2 example=autobahn_client ;;
  *) usage ;;
esac
groups=${*:3}
groups=${groups:-$all}
for group in $groups; do
  [[ " $all " = *" $group "* ]] || usage
done
target=${CARGO_TARGET_DIR:-target}
out=$target/autobahn/$side-$adapter
testee=$target/release/examples/$example
agent=sotong-$side-$adapter
cores=$(nproc)
limit=900 # seconds for a shard that hangs

autobahn/setup.sh >&2
cargo build --release --features tokio,deflate --example "$example" >&2
rm -rf "$out"
mkdir -p "$out"

# Each background job is a process group of its own: ending the group ends all that the job started.
set -m
groups_started=()
trap 'for group in "${groups_started[@]}"; do kill -- "-$group" 2> /dev/null || true; done' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

suite=(timeout --foreground "$limit" "${AUTOBAHN_HOME:-$HOME/.cache/autobahn}/python" -u autobahn/wstest.py)

# Waits for the line `listening on ADDRESS` in FILE, which JOB writes, and prints the address.
await_listening() { # FILE JOB
  local tries address
  for ((tries = 0; tries < 300; tries++)); do
    address=$(sed -n 's/^listening on //p;T;q' "$1")
    [ -z "$address" ] || { echo "$address"; return; }
    kill -0 "$2" 2> /dev/null || break
    sleep 0.1
  done
  echo "$1 does not say what it listens on:" >&2
  tail -n 5 "$1" >&2
  return 1
}

server_shard() { # NUMBER CASES...
  "${suite[@]}" attack "$out" "$url" "$agent" "${@:2}" > "$out/suite$1.log" 2>&1
}

client_shard() { # NUMBER CASES...
  local log=$out/suite$1.log url served=0
  : > "$log"
  url=ws://127.0.0.1:$(python3 -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])')
  "${suite[@]}" serve "$out" "$url" "${@:2}" > "$log" 2>&1 &
  await_listening "$log" $! > /dev/null
  timeout --foreground "$limit" "$testee" --adapter "$adapter" "$url" "$agent" > "$out/client$1.log" 2>&1 || served=$?
  kill $!
  return $served
}

# The first shard has the groups with limits of half a second and a second: it runs alone. The others share the cores.
timed="" shards=()
for group in $groups; do
  case $group in
    9) shards+=('9.*') ;;
    12) shards+=('12.'{1..5}'.*') ;;
    13) shards+=('13.'{1..7}'.*') ;;
    *) timed+=" $group.*" ;;
  esac
done
[ -z "$timed" ] || shards=("$timed" "${shards[@]}")

declare -A running
await_shard() { # one of those running
  local job
  wait -n -p job "${!running[@]}" || echo "shard ${running[$job]} broke off, see the logs in $out" >&2
  unset "running[$job]"
}

if [ "$side" = server ]; then
  : > "$out/server.log"
  "$testee" --listen 127.0.0.1:0 --adapter "$adapter" --max-message 16777216 --deflate > "$out/server.log" 2>&1 &
  server=$!
  groups_started+=($server)
  url=ws://$(await_listening "$out/server.log" $server)
fi
for number in "${!shards[@]}"; do
  read -ra cases <<< "${shards[number]}"
  "${side}_shard" "$number" "${cases[@]}" &
  running[$!]=$number
  groups_started+=($!)
  while ((${#running[@]} >= (number == 0 && ${#timed} ? 1 : cores))); do await_shard; done
done
while ((${#running[@]})); do await_shard; done
"${suite[@]}" report "$out"
broken=0
if [ "$side" = server ] && ! kill -0 $server; then
  echo "the server ended before the suite did, see $out/server.log"
  broken=1
fi
if grep -l panicked "$out"/*.log; then
  echo "a panic, see the log"
  broken=1
fi
python3 autobahn/check.py "$out" $groups
exit $broken
