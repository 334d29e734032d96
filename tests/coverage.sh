#!/usr/bin/env bash
# Which lines and branches of the crate its tests run. Installs what it needs; takes some minutes.
#
#   tests/coverage.sh          a table by file, the core first; fails below the floor of the core
#   tests/coverage.sh core     the same without programs that run nothing of the core that others do not
#   tests/coverage.sh missed   and each line and branch of the core that nothing runs
#
# The core is all but the adapters and what tests are made of (src/adapter.rs, src/blocking*, src/dial*,
# src/tokio*; src/test_kit*). Unit tests are not
# counted; a line or a branch counts if one of the test programs runs it. They are looked at one by
# one: added up, functions whose records differ between two of them ("mismatched data") are lost.
#
# What of the core is not covered, and why:
#   * connection/incoming/{inflate,message,stages}.rs, connection/outgoing/compressed.rs, handshake/client.rs: the
#     `else` of `let Some(message) = ...`, `let Some(compressor) = ...`, `let Some((response, body)) = ...`.
#     There always is one where the stage says so; the answer to there being none is harmless and no
#     panic. Likewise `Ready::Piece` in `next_event`, in connection/incoming.rs.
#   * deflate/compressor.rs, deflate/inflater.rs: a state that is given back or reset, and is not there.
#   * mask.rs: the `else` of `last_chunk` and `last_chunk_mut`, whose length was matched on just before.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Of a hundred lines and branches of the core, as many are run at least.
floor_lines=99.8
floor_branches=98.2
others="dial flat floors mio residue"
cargo_llvm_cov=0.9.1 # the one it was tried with

rustup toolchain list | grep -q '^nightly' ||
  rustup toolchain install nightly --profile minimal --no-self-update
rustup component add llvm-tools --toolchain nightly 2>/dev/null
cargo llvm-cov --version 2>/dev/null | grep -q " $cargo_llvm_cov$" ||
  cargo install cargo-llvm-cov --locked --debug --force --version "$cargo_llvm_cov"

out=${CARGO_TARGET_DIR:-target}/coverage
rm -rf "$out" && mkdir -p "$out"
# Programs that were built of older sources would be counted, too.
rustup run nightly cargo llvm-cov clean --workspace
targets=(--lib)
for test in tests/*.rs tests/*/main.rs; do
  name=${test#tests/}
  name=$(basename "${name%/main.rs}" .rs)
  [ "${1:-}" != core ] || [[ " $others " != *" $name "* ]] || continue
  targets+=("--test=$name")
done
for target in "${targets[@]}"; do
  rustup run nightly cargo llvm-cov clean --profraw-only
  rustup run nightly cargo llvm-cov --no-clean --branch --all-features "$target" \
    --lcov --output-path "$out/${target##*[-=]}.info" >"$out/log" 2>&1 ||
    { cat "$out/log" && exit 1; }
  echo "$target: $(sed -n 's/^test result: //p' "$out/log")"
done

awk -v missed="$(grep -x missed <<<"${1:-}")" -v floor_lines=$floor_lines -v floor_branches=$floor_branches \
  -f tests/coverage.awk "$out"/*.info
