# shellcheck shell=bash
# Shared by every script: messages, the cache folder, the lock, and packages of the system.
# Sourced, never run. The caller has set `set -euo pipefail`.

# shellcheck disable=SC2034  # the callers use it
REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/sip_ua
START=${EPOCHREALTIME/[.,]/}

say() { # progress, with the seconds since the start
    local now=${EPOCHREALTIME/[.,]/}
    printf '[%4d.%d s] %s\n' $(((now - START) / 1000000)) $(((now - START) / 100000 % 10)) "$*" >&2
}

fail() { # the one clear line of a failure
    printf 'error: %s\n' "$*" >&2
    exit 1
}

usage() { # the comment block at the head of the calling script
    sed -n '2,/^[^#]/{/^#/!d;s/^# \{0,1\}//;p}' "$0"
}

quietly() { # runs a command; shows its output only when it fails
    local log
    log=$(mktemp)
    if "$@" >"$log" 2>&1 </dev/null; then
        rm -f "$log"
    else
        cat "$log" >&2
        rm -f "$log"
        return 1
    fi
}

take_lock() { # one set-up at a time per user: two clones share the cache folder
    mkdir -p "$CACHE" || fail "cannot create the cache folder $CACHE"
    command -v flock >/dev/null || return 0
    exec {LOCK_FD}>"$CACHE/lock"
    if ! flock --nonblock "$LOCK_FD"; then
        say "waiting for another set-up to finish"
        flock --timeout 1800 "$LOCK_FD" || fail "another set-up has held $CACHE/lock for half an hour"
    fi
}

release_lock() {
    [[ -z ${LOCK_FD:-} ]] || exec {LOCK_FD}>&-
    unset LOCK_FD
}

can_be_root() { # `ask`: also by a password typed at the terminal
    [[ $EUID -eq 0 ]] && return 0
    command -v sudo >/dev/null || return 1
    sudo -n true 2>/dev/null && return 0
    [[ ${1:-} == ask && -z ${CI:-} && -t 0 && -t 2 ]] && sudo -v
}

as_root() {
    if [[ $EUID -eq 0 ]]; then "$@"; else sudo "$@"; fi
}

apt_install() { # installs Debian packages; no service of theirs starts, now or at the next boot
    local unit get=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120)
    command -v apt-get >/dev/null || return 1
    # The lists may be missing, or older than what the mirror still has.
    if ! without_services as_root "${get[@]}" install --no-install-recommends "$@" >/dev/null 2>&1 </dev/null; then
        quietly as_root "${get[@]}" update || return 1
        quietly without_services as_root "${get[@]}" install --no-install-recommends "$@" || return 1
    fi
    command -v systemctl >/dev/null || return 0
    for unit in $(dpkg -L "$@" | grep -E '/systemd/system/[^/]+\.service$' || true); do
        as_root systemctl --quiet disable "${unit##*/}" >/dev/null 2>&1 || true
    done
}

without_services() ( # runs a command while no package may start a service of its own
    policy=/usr/sbin/policy-rc.d
    if [[ ! -e $policy ]]; then
        trap 'as_root rm -f "$policy"' EXIT
        trap 'exit 130' INT TERM HUP
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
    fi
    "$@"
)
