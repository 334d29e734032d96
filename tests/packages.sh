#!/usr/bin/env bash
# Installs those of the named Debian packages that are missing; as root, if any is.
set -euo pipefail

missing=()
for package; do
  dpkg-query --show --showformat '${db:Status-Status}\n' "$package" 2> /dev/null | grep -qx installed || missing+=("$package")
done
((${#missing[@]})) || exit 0
apt-get -qq update >&2
DEBIAN_FRONTEND=noninteractive apt-get -qq install -y "${missing[@]}" >&2
