#!/usr/bin/env bash
# All tests on a machine of 32 bits, where lengths of 64 bits do not fit into a `usize`. Installs what
# it needs on a Debian machine; takes some minutes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

links_32_bits() { echo 'int main(void) { return 0; }' | cc -m32 -x c -o /dev/null - 2>/dev/null; }
links_32_bits || { apt-get -qq update && apt-get -qq install -y --no-install-recommends gcc-multilib; }
rustup target add i686-unknown-linux-gnu
cargo test --target i686-unknown-linux-gnu --all-features --tests "$@"
