#!/usr/bin/env bash
# Counts what each flood of tests/floods costs, in instructions under valgrind's callgrind, for n units and for
# twice as many, beside none at all. Fails if twice as many cost 2.5 times as much: then the cost grows faster
# than the flood.
#
#   tests/floods.sh             all floods
#   tests/floods.sh NAME...     only these
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

command -v valgrind > /dev/null || { apt-get update -qq && apt-get install -y -qq valgrind > /dev/null; }
program=$(cargo bench --features tokio --bench floods --no-run --message-format json |
  sed -n 's/.*"executable":"\([^"]*floods[^"]*\)".*/\1/p' | tail -1)
[ -x "$program" ]

# All instructions of a process that meets so many units of a flood.
count() {
  valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" "$1" "$2" 2>&1 |
    sed -n 's/.*Collected : //p'
}

failed=0
while IFS=$'\t' read -r units flood; do
  if [ $# -gt 0 ] && ! printf '%s\n' "$@" | grep -qxF -- "$flood"; then continue; fi
  none=$(count "$flood" 0)
  once=$(count "$flood" "$units")
  twice=$(count "$flood" $((2 * units)))
  hundredths=$((100 * (twice - none) / (once - none)))
  verdict=
  if [ "$hundredths" -ge 250 ]; then verdict="  FASTER THAN THE FLOOD" failed=$((failed + 1)); fi
  printf '%7d units %7d instructions each, twice as many cost %d.%02d times as much: %s%s\n' \
    "$units" $(((once - none) / units)) $((hundredths / 100)) $((hundredths % 100)) "$flood" "$verdict"
done < <("$program")
[ "$failed" -eq 0 ]
