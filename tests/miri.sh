#!/usr/bin/env bash
# The core's tests in an interpreter (Miri) that finds undefined behaviour, also in what the crate
# builds upon, and that can be a machine of another kind. Installs what it needs.
#
#   tests/miri.sh [short]   a big-endian machine of 32 bits, without std: unit tests, examples, lengths
#   tests/miri.sh long      that; and all below, with std, on this machine, and with compression too as a
#                           big-endian machine of 64 bits and as a little-endian one of 32
#
# It takes about a thousand times as long as the processor. A test whose table is too large for that has
# a smaller one under `cfg!(miri)`, in a constant at the top. What is left out, and why:
#   * tests/adapters, tests/residue, tests/test_kit.rs: sockets, threads, and times that a clock on the wall
#     measures.
#   * tests/tracing: events, one by one, and what is told of them is text.
#   * tests/allocations.rs, tests/flat.rs, tests/floods: megabytes, counted by an allocator of its own, which
#     interpreting changes.
#   * tests/closing_model: some thousand conversations.
#   * tests/floors.rs: it reads the sources and runs none of the crate.
#   * `skipped` and `skipped_rfc7692` below: megabytes, by design. They run on i686 (tests/i686.sh) as they are.
# Aliasing is checked on this machine alone: its rules are the same on all, and checking them makes the
# tables of a compressor take five times as long, which is why there is no compression on this one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

rustup toolchain list | grep -q '^nightly' ||
  rustup toolchain install nightly --profile minimal --no-self-update
rustup component add miri rust-src --toolchain nightly 2>/dev/null

skipped=(
  ten_thousand_offers_are_read_once
  # Queues and heads as long as their limits and beyond.
  a_peer_that_never_reads_is_given_up_and_the_queue_is_bounded
  a_head_that_never_ends_is_refused_at_the_limit
  endless_heads_end
  lengths_around_each_form_of_the_length_are_received
  a_client_masks_all_of_a_long_payload_and_a_server_none
)
# Of rfc7692: what a bomb may inflate to, and every setting with long messages. Names are looked for
# anywhere, and other programs have modules that end so.
skipped_rfc7692=(--skip limits:: --skip properties::)
only=()
run() { # MACHINE, then arguments of `cargo test`; of its tests those that `only` names, if any
  local filters=() flags=
  for name in "${skipped[@]}"; do filters+=(--skip "$name"); done
  [ "$1" = "$here" ] || flags=-Zmiri-disable-stacked-borrows
  MIRIFLAGS=$flags rustup run nightly cargo miri test --target "$@" -- "${filters[@]}" "${only[@]}"
}

here=$(rustc -vV | sed -n 's/^host: //p')
core=(--lib)
for test in conversation exhaustive handshake reference_model rfc6455 split_invariance statistics \
  wording; do
  core+=(--test "$test")
done

short() {
  run powerpc-unknown-linux-gnu --no-default-features --lib
  only=(the_examples are all_64_bits extended_lengths_are_received)
  run powerpc-unknown-linux-gnu --no-default-features --test rfc6455
  only=()
}

case ${1:-short} in
  short) short ;;
  long)
    short
    run "$here" "${core[@]}"
    for machine in s390x-unknown-linux-gnu i686-unknown-linux-gnu; do
      only=()
      run $machine --features deflate "${core[@]}"
      only=("${skipped_rfc7692[@]}")
      run $machine --features deflate --test rfc7692
    done
    ;;
  *) echo "usage: tests/miri.sh [short|long]" >&2 && exit 2 ;;
esac
