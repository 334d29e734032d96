#!/usr/bin/env bash
# Does a test fail wherever the core is changed? cargo-mutants changes one place at a time
# (`.cargo/mutants.toml` says where), and the tests are run. Installs what it needs.
#
#   tests/mutants.sh                 all of the core; takes long
#   tests/mutants.sh FILE...         these files of it
#   tests/mutants.sh diff [COMMIT]   what was changed in it since a commit, or since main
#
# Fails if a mutant survives that tests/mutants.txt does not explain, or if one that it explains is
# caught or is no more. The score is caught / (caught + missed). Counted apart: mutants that are no Rust
# (unviable), and those with which the tests do not end (timeout).
#
# What one test program does not catch is tried with all of them and with other features, but for those
# that have sockets and deadlines: what they catch is at times the machine. What properties draw is the
# same in every run. CARGO_MUTANTS_JOBS, 2 if not set, are tried at once.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cargo_mutants=27.1.0 # the one it was tried with
cargo mutants --version 2>/dev/null | grep -q " $cargo_mutants$" ||
  cargo install cargo-mutants --locked --force --version "$cargo_mutants"

# Each copy of the sources has a target directory of its own, and nothing for debuggers in it.
unset CARGO_TARGET_DIR
export CARGO_PROFILE_DEV_DEBUG=0 RUST_BACKTRACE=0 PROPTEST_RNG_SEED=7
export CARGO_MUTANTS_JOBS=${CARGO_MUTANTS_JOBS:-2}
ulimit -v $((16 * 1024 * 1024)) # KiB: some mutants take memory without end

out=$PWD/target/mutants
rm -rf "$out" && mkdir -p "$out"
only=()
case ${1:-} in
  '') ;;
  diff) git diff "${2:-main}" -- src >"$out/diff" && only=(--in-diff "$out/diff") ;;
  *) for file in "$@"; do only+=(--file "$file"); done ;;
esac

# Tries what was not caught before. Options of cargo-mutants; those behind `-C=` are cargo's.
try() {
  local rc=0
  cargo mutants --iterate --output "$out" --no-times "${only[@]}" "$@" || rc=$?
  case $rc in
    0 | 2 | 3) ;; # all were caught; some were missed; with some the tests did not end
    *) exit 1 ;;
  esac
  mkdir -p "$out/mutants.out"
  touch "$out"/mutants.out/{caught,unviable,timeout,missed}.txt
  for verdict in caught unviable timeout; do
    cat "$out/mutants.out/$verdict.txt" >>"$out/$verdict"
  done
  cat "$out/mutants.out/timeout.txt" >>"$out/mutants.out/caught.txt" # not to be tried again
}
if [ ${#only[@]} -eq 0 ]; then
  # Nearly all are caught at once by the tests that are about their file.
  try --features=deflate,dial,http -C=--lib -C=--test=handshake -C=--test=http -C=--test=wording \
    -f 'src/handshake*' -f 'src/handshake/**' -f 'src/http*' -f 'src/http/**' -f src/extension.rs -f src/origin.rs
  try --features=tokio,deflate -C=--lib -C=--test=conversation -C=--test=rfc6455 -C=--test=statistics \
    -C=--test=wording -f 'src/connection*' -f 'src/connection/**' -f src/close.rs -f src/error.rs -f src/frame.rs
  try --features=deflate -C=--lib -C=--test=conversation -C=--test=rfc6455 \
    -f 'src/buffer/**' -f src/mask.rs -f src/timing.rs
  try --features=deflate -C=--lib -C=--test=rfc7692 -f 'src/deflate/**'
  # Most others of them change what is held, compressed or told. What is missed here is tried with all, which
  # takes ten times as long for each.
  try --features=tokio,deflate,tracing -C=--test=allocations -C=--test=rfc7692 -C=--test=tracing \
    -f 'src/connection*' -f 'src/connection/**' -f 'src/buffer/**' -f 'src/deflate/**' -f src/trace.rs
fi
programs=(conversation handshake rfc6455 rfc7692 statistics wording)
slow=(allocations exhaustive floods http reference_model split_invariance tracing)
try --no-default-features -C=--lib "${programs[@]/#/-C=--test=}"
try --features=tokio,deflate,dial,tracing,http -C=--lib "${programs[@]/#/-C=--test=}" "${slow[@]/#/-C=--test=}"
cp "$out/mutants.out/missed.txt" "$out/missed"

# Lines of cargo-mutants, FILE:LINE:COLUMN: CHANGE, as they are told whatever stands above them: with
# the source in place of the numbers.
told() {
  awk '{
    split($0, part, ":")
    change = substr($0, length(part[1] ":" part[2] ":" part[3] ": ") + 1)
    for (n = 0; n < part[2] && (getline source < part[1]) > 0; n++);
    close(part[1])
    sub(/^ */, "", source)
    print part[1] ": " change ": " source
  }' "$@" | sort
}
told "$out/missed" >"$out/survive"
told "$out/missed" "$out/timeout" >"$out/not-caught"
told <(cargo mutants --list) >"$out/all"
told <(cargo mutants --list "${only[@]}") >"$out/tried"
grep '^src/' tests/mutants.txt | sort >"$out/explained"
comm -12 "$out/explained" "$out/tried" >"$out/expected"

count() { wc -l <"$out/$1"; }
echo
for verdict in caught missed unviable timeout; do echo "$verdict: $(count $verdict)"; done
awk -v caught="$(count caught)" -v missed="$(count missed)" \
  'BEGIN { if (caught + missed) printf "score: %.2f %%\n", 100 * caught / (caught + missed) }'

failed=0
complain() { # WHAT, LINES
  [ -z "$2" ] && return
  failed=1
  printf '\n%s:\n%s\n' "$1" "$2"
}
complain "not caught, and not explained in tests/mutants.txt" "$(comm -23 "$out/survive" "$out/expected")"
complain "caught, although tests/mutants.txt explains why not" "$(comm -13 "$out/not-caught" "$out/expected")"
complain "explained in tests/mutants.txt, but no more" "$(comm -23 "$out/explained" "$out/all")"
exit $failed
