#!/bin/sh
# The browser tests drive Chromium's headless shell, or the Chromium or Chrome on the PATH, which
# takes more of the processor for the same; where there is neither, Debian's shell is installed.
set -eu
. scripts/apt.sh
# Playwright's own Node.js needs this library, which the smallest Debian does not have.
if command -v dpkg-query >/dev/null 2>&1 && ! dpkg-query -W libatomic1 >/dev/null 2>&1; then
    apt_install libatomic1 || {
        echo "The browser tests need libatomic1, and $apt_why." >&2
        exit 1
    }
fi
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
# Nobody is asked for a password for what is only faster.
[ -z "$other" ] || [ "$(id -u)" -eq 0 ] || give_up "installing it needs root"
echo "Installing Chromium for the browser tests ..."
apt_install chromium-headless-shell fonts-dejavu-core && exit 0
[ -z "$other" ] && apt_install chromium fonts-dejavu-core && exit 0
give_up "$apt_why"
