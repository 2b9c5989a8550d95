# Read by setup.sh and chromium.sh: packages of the system, where it is Debian or Ubuntu.

# apt_install PACKAGE...: 0 when they are there. Else 1, and $apt_why says why, to follow "and".
apt_install() {
    command -v apt-get >/dev/null 2>&1 || {
        apt_why="this machine has no apt-get to install it with"
        return 1
    }
    apt_sudo=""
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null 2>&1 || {
            apt_why="installing it needs root or sudo"
            return 1
        }
        apt_sudo="sudo"
    fi
    apt_log=$(mktemp)
    # One at a time: CI runs both scripts side by side, and apt-get does not wait for itself.
    if {
        flock 9 &&
            { [ -n "${apt_updated:-}" ] || $apt_sudo apt-get update -qq; } &&
            apt_updated=yes &&
            $apt_sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-remove \
                --no-install-recommends "$@"
    } >"$apt_log" 2>&1 9<scripts/apt.sh; then
        rm -f "$apt_log"
        return 0
    fi
    tail -n 5 "$apt_log" >&2
    rm -f "$apt_log"
    apt_why="installing it failed (see above)"
    return 1
}
