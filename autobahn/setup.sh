#!/usr/bin/env bash
# Fetches the Autobahn test suite, once, into ${AUTOBAHN_HOME:-$HOME/.cache/autobahn}; run.sh calls it.
#
# The suite is written for Python 2.7. PyPy's comes out of an older Debian release: its packages are unpacked in that
# folder, not installed. Without them any CPython 2.7 will do, five times as slowly: name it in PYTHON27.
# Afterwards DIR/python is a Python that can import the suite.
set -euo pipefail
dir=${AUTOBAHN_HOME:-$HOME/.cache/autobahn}
version=$(sha256sum < "${BASH_SOURCE[0]}")

mkdir -p "$(dirname "$dir")"
exec 9> "$dir.lock"
flock 9
[ "$(cat "$dir/version" 2> /dev/null)" != "$version" ] || exit 0
if [ -d "$dir" ] && [ ! -e "$dir/mark" ] && [ -n "$(ls -A "$dir")" ]; then
  echo "setup.sh: $dir holds something else; set AUTOBAHN_HOME" >&2
  exit 1
fi
rm -rf "$dir"
mkdir -p "$dir/site"
dir=$(cd "$dir" && pwd)
touch "$dir/mark"

# The packages come from the mirror this machine uses for its own release; apt keeps its state for them in DIR.
pypy() {
  local apt=$dir/apt mirror deb options
  mirror=$(. /etc/os-release
    apt-get indextargets --no-release-info --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Identifier: Packages' |
      awk -v own="${VERSION_CODENAME:-}" '$1 == own && $2 == "main" { print $3; exit }')
  [ -n "$mirror" ] || return 1
  mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$apt/parts" "$apt/debs"
  touch "$apt/status"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror bullseye main" > "$apt/sources.list"
  options=(-qq -o Dir::Etc::sourcelist="$apt/sources.list" -o Dir::Etc::sourceparts="$apt/parts"
    -o Dir::State="$apt" -o Dir::State::status="$apt/status" -o Dir::Cache="$apt"
    -o Acquire::Languages=none -o Acquire::Retries=3 -o APT::Sandbox::User=root)
  apt-get "${options[@]}" update || return 1
  (cd "$apt/debs" && apt-get "${options[@]}" download pypy pypy-lib libexpat1 libffi7 libssl1.1) || return 1
  for deb in "$apt"/debs/*.deb; do dpkg-deb -x "$deb" "$dir/root" || return 1; done
  rm -rf "$apt"
  libraries=$(echo "$dir"/root/usr/lib/*-linux-gnu):$(echo "$dir"/root/lib/*-linux-gnu)
  use "$dir/root/usr/bin/pypy"
}

cpython() {
  local candidate
  libraries=
  for candidate in ${PYTHON27:-} python2.7 "$HOME"/.pyenv/versions/2.7*/bin/python2.7; do
    use "$candidate" && return
  done
  return 1
}

# Makes DIR/python run INTERPRETER, if that is a usable Python 2.7.
use() {
  cat > "$dir/python" <<SH
#!/bin/sh
LD_LIBRARY_PATH='$libraries' PYTHONPATH='$dir/site' exec '$1' "\$@"
SH
  chmod +x "$dir/python"
  "$dir/python" -c 'import hashlib, ssl, sys, zlib; assert sys.version_info[:2] == (2, 7)' 2> /dev/null
}

pypy || cpython || { echo 'setup.sh: found no Python 2.7; name one in PYTHON27' >&2; exit 1; }

# The suite and all it needs, by hash. This machine's own pip unpacks what comes as a wheel: Twisted and zope.interface
# are CPython's, but both run without their compiled part.
cat > "$dir/wheels.txt" <<'TXT'
attrs==21.4.0 --hash=sha256:2d27e3784d7a565d36ab851fe94887c5eccd6a463168875832a1be79c82828b4
autobahntestsuite==25.10.1 --hash=sha256:b57ee6b22de624a03256878ad453c9897d2ad7ee08a4c38b35ee2847637e1383
Automat==22.10.0 --hash=sha256:c3164f8742b9dc440f3682482d32aaff7bb53f71740dd018533f9de286b64180
constantly==15.1.0 --hash=sha256:dd2fa9d6b1a51a83f0d7dd76293d734046aa176e384bf6e33b7e44880eb37c5d
hyperlink==21.0.0 --hash=sha256:e6b14c37ecb73e89c77d78cdb4c2cc8f3fb59a885c5b3f819ff4ed80f25af1b4
idna==2.10 --hash=sha256:b97d804b1e9b523befed77c48dacec60e6dcb0b5391d57af6a65a312a90648c0
incremental==16.10.1 --hash=sha256:cc00a35f9e9621ddec0a5e7d17271f3f26244873c4aec67eda06f2db8302e04b
jinja2==2.11.3 --hash=sha256:03e47ad063331dd6a3f04a43eddca8a966a26ba0c5b7207a9a9e4e08f1b29419
linecache2==1.0.0 --hash=sha256:e78be9c0a0dfcbac712fe04fbf92b96cddae80b1b842f24248214c8496f006ef
markupsafe==1.1.1 --hash=sha256:43a55c2930bbc139570ac2452adf3d70cdbb3cfe5912c71cdce1c2c6bbd9c5d1
pip==20.3.4 --hash=sha256:217ae5161a0e08c0fb873858806e3478c9775caffce5168b50ec885e358c199d
setuptools==44.1.1 --hash=sha256:27a714c09253134e60a6fa68130f78c7037e5562c4f21f8f318f2ae900d152d5
six==1.16.0 --hash=sha256:8abb2f1d86890a2dfb989f9a77cfcfd3e47c2a354b01111771326f8aa26e0254
traceback2==1.4.0 --hash=sha256:8253cebec4b19094d67cc5ed5af99bf1dba1285292226e98a31929f87a5d6b23
Twisted==19.10.0 --hash=sha256:776c65270b57ac074d5b7a471142f434b0ac5a8b39d9c974769c855c32abfd91
typing==3.10.0.0 --hash=sha256:c7219ef20c5fbf413b4567092adfc46fa6203cb8454eda33c3fc1afe1398a308
unittest2==1.1.0 --hash=sha256:13f77d0875db6d9b435e1d4f41e74ad4cc2eb6e1d5c824996092b3430f088bb8
wheel==0.37.1 --hash=sha256:4bdcd7d840138086126cd09254dc6195fb4fc6f01c050a1d7236f2630db1d22a
zope.interface==4.6.0 --hash=sha256:bad44274b151d46619a7567010f7cde23a908c6faa84b97598fd2f474a0c6891
TXT
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
python3 -m pip install -q --target "$dir/site" --no-deps --no-compile --require-hashes --ignore-requires-python \
  --only-binary :all: --implementation cp --python-version 27 --abi cp27mu --platform manylinux1_x86_64 -r "$dir/wheels.txt"
touch "$dir/site/zope/__init__.py"

# These two have no wheel: the last pip for Python 2.7 builds them.
cat > "$dir/sources.txt" <<'TXT'
autobahn==0.10.9 --hash=sha256:3fecc1e2a26a0421128ddcfb4e577f0bc669dd65d0e0fdad1c773965cbcef75a
txaio==2.1.0 --hash=sha256:b94e3dbc83760b68955160fc61a2c34e2798f7a90c41672560f40dfd2946a864
TXT
mkdir "$dir/built"
"$dir/python" -W ignore -m pip install -q --target "$dir/built" --no-deps --no-compile --no-build-isolation --require-hashes \
  -r "$dir/sources.txt" 2> >(grep -v DEPRECATION >&2)
mv "$dir/built/autobahn" "$dir/built/txaio" "$dir/site"
rm -rf "$dir/built"

mkdir "$dir/empty"
"$dir/python" "$(dirname "${BASH_SOURCE[0]}")/wstest.py" report "$dir/empty"
echo "$version" > "$dir/version"
