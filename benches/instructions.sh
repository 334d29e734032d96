#!/usr/bin/env bash
# Counts the instructions of each work in benches/work, for one message or other unit, under valgrind's callgrind:
# the same again for the same program, whatever else the machine does. Fails if a count is more than 3 % above the
# one in benches/instructions.txt.
#
#   benches/instructions.sh             compare
#   benches/instructions.sh --update    make these counts the ones to compare with
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
baseline=benches/instructions.txt

# The C library copies in one way on every processor.
export GLIBC_TUNABLES=glibc.cpu.x86_rep_movsb_threshold=0x7fffffff:glibc.cpu.x86_rep_stosb_threshold=0x7fffffff
GLIBC_TUNABLES+=:glibc.cpu.x86_non_temporal_threshold=0x0fffffffffff

command -v valgrind > /dev/null || { apt-get update -qq && apt-get install -y -qq valgrind > /dev/null; }
program=$(cargo bench --features deflate,tokio --bench instructions --no-run --message-format json |
  sed -n 's/.*"executable":"\([^"]*instructions[^"]*\)".*/\1/p' | tail -1)
[ -x "$program" ]

# All instructions of a process that does a work so many times.
count() {
  valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" "$1" "$2" 2>&1 |
    sed -n 's/.*Collected : //p'
}

measured=$(
  "$program" | while IFS=$'\t' read -r units work; do
    once=$(count "$work" 1)
    more=$(count "$work" 4)
    printf '%s\t%d\n' "$work" $(((more - once) / (3 * units)))
  done
)

if [ "${1:-}" = --update ]; then
  { echo "# $(rustc --version)"; echo "$measured"; } > "$baseline"
  echo "$baseline is as measured now"
  exit
fi

echo "with $(rustc --version), compared with $(sed -n '1s/# //p' "$baseline")"
awk -F'\t' '
  /^#/ { next }
  NR == FNR { expected[$1] = $2; next }
  {
    verdict = ""
    if (!($1 in expected)) verdict = "new: benches/instructions.sh --update"
    else if ($2 > expected[$1] * 1.03 + 1) verdict = "MORE THAN 3 % ABOVE"
    failed += verdict != ""
    printf "%-40s %10d %10d  %s\n", $1, expected[$1], $2, verdict
    delete expected[$1]
  }
  END {
    for (work in expected) { failed++; print work ": is not measured any more: benches/instructions.sh --update" }
    exit failed > 0
  }
' "$baseline" <(echo "$measured")
