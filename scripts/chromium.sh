#!/bin/sh
# The browser tests drive the Chromium or Chrome on the PATH; where there is none, Debian's is installed.
set -eu
for name in chromium chromium-browser google-chrome google-chrome-stable; do
    if command -v "$name" >/dev/null 2>&1; then
        exit 0
    fi
done
give_up() {
    echo "The browser tests need Chromium or Chrome on the PATH, and $1." >&2
    echo "Install it (Debian: apt-get install chromium), or leave them out:" >&2
    echo "  make setup && .venv/bin/python -m pytest -m 'not browser'" >&2
    exit 1
}
command -v apt-get >/dev/null 2>&1 || give_up "this machine has no apt-get to install it with"
sudo=""
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 || give_up "installing it needs root or sudo"
    sudo="sudo"
fi
echo "Installing Chromium for the browser tests ..."
log=$(mktemp)
{
    $sudo apt-get update -qq &&
        $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
            chromium fonts-dejavu-core
} >"$log" 2>&1 || { tail -n 5 "$log" >&2; rm -f "$log"; give_up "installing it failed (see above)"; }
rm -f "$log"
