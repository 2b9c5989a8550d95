#!/bin/sh
# The browser tests drive Chromium's headless shell, or the Chromium or Chrome on the PATH, which
# takes more of the processor for the same; where there is neither, Debian's shell is installed.
set -eu
command -v chromium-headless-shell >/dev/null 2>&1 && exit 0
other=""
for name in chromium chromium-browser google-chrome google-chrome-stable; do
    command -v "$name" >/dev/null 2>&1 && other="$name"
done
give_up() {
    if [ -n "$other" ]; then
        echo "The browser tests drive $other: chromium-headless-shell would be faster, and $1."
        exit 0
    fi
    echo "The browser tests need Chromium or Chrome on the PATH, and $1." >&2
    echo "Install it (Debian: apt-get install chromium), or leave them out:" >&2
    echo "  make setup && .venv/bin/python -m pytest -m 'not browser'" >&2
    exit 1
}
command -v apt-get >/dev/null 2>&1 || give_up "this machine has no apt-get to install it with"
sudo=""
if [ "$(id -u)" -ne 0 ]; then
    [ -z "$other" ] || give_up "installing it needs root"
    command -v sudo >/dev/null 2>&1 || give_up "installing it needs root or sudo"
    sudo="sudo"
fi
install() {
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-remove \
        --no-install-recommends "$@" fonts-dejavu-core
}
echo "Installing Chromium for the browser tests ..."
log=$(mktemp)
{
    $sudo apt-get update -qq &&
        { install chromium-headless-shell || { [ -z "$other" ] && install chromium; }; }
} >"$log" 2>&1 || { tail -n 5 "$log" >&2; rm -f "$log"; give_up "installing it failed (see above)"; }
rm -f "$log"
