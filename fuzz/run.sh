#!/usr/bin/env bash
# Fuzzes: each target for some time, two at a time, from the committed corpus. Installs what it needs.
#
#   fuzz/run.sh                        every target for 30 seconds
#   fuzz/run.sh 1800                   every target for half an hour
#   fuzz/run.sh 7200 server inflate    these for two hours
#
# Ends with a table: target, executions, edges covered, how many of them the seeds alone cover, findings; and
# fails if there is a finding. What was learned stays in fuzz/work, what was found in fuzz/artifacts.
# FUZZ_JOBS says how many at a time, FUZZ_SANITIZER=none goes faster and does not watch over memory.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

cargo_fuzz=0.13.1 # the one it was tried with
jobs=${FUZZ_JOBS:-2} sanitizer=${FUZZ_SANITIZER:-address}
seconds=${1:-30}
shift || true
case $seconds in '' | *[!0-9]*) echo "usage: fuzz/run.sh [SECONDS] [TARGET...]" >&2 && exit 2 ;; esac

rustup toolchain list | grep -q '^nightly' ||
  rustup toolchain install nightly --profile minimal --no-self-update || exit
cargo fuzz --version 2>/dev/null | grep -q " $cargo_fuzz$" ||
  cargo install cargo-fuzz --locked --debug --force --version "$cargo_fuzz" || exit

all=$(sed -n 's/^name = "\(.*\)"$/\1/p' Cargo.toml | grep -v '^sotong-fuzz$')
targets=("$@")
[ $# -gt 0 ] || mapfile -t targets <<<"$all"
for target in "${targets[@]}"; do
  grep -qx -- "$target" <<<"$all" || { echo "no target $target" >&2 && exit 2; }
done

fuzz() { rustup run nightly cargo fuzz "$1" --features libfuzzer --sanitizer "$sanitizer" "${@:2}"; }
fuzz build || exit
# The oldest findings are not those of this run.
rm -rf artifacts && mkdir -p work/logs

one() {
  mkdir -p "work/$1" "artifacts/$1"
  fuzz run "$1" "work/$1" "corpus/$1" -- -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
    -dict=dictionary -max_len=8192 -print_final_stats=1 >"work/logs/$1" 2>&1
}
for target in "${targets[@]}"; do
  while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n; done
  one "$target" &
done
wait

found=0
printf '\n%-18s %12s %8s %8s %9s\n' target executions edges seeds findings
for target in "${targets[@]}"; do
  log=work/logs/$target
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -1)
  edges=$(grep -ao 'cov: [0-9]*' "$log" | tail -1)
  seeds=$(grep -a 'INITED' "$log" | grep -ao 'cov: [0-9]*' | tail -1)
  findings=$(find "artifacts/$target" -type f | wc -l)
  # Without statistics it did not end as it should, whatever it left behind.
  [ -n "$runs" ] || findings="$findings?"
  [ "$findings" = 0 ] || found=1
  printf '%-18s %12s %8s %8s %9s\n' "$target" "${runs:--}" "${edges#cov: }" "${seeds#cov: }" "$findings"
done
if [ $found -ne 0 ]; then
  for target in "${targets[@]}"; do
    grep -a -A 12 'panicked at\|ERROR: ' "work/logs/$target" | cut -c1-2000 | head -30
  done
  find artifacts -type f
fi
exit $found
