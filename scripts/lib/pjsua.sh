# shellcheck shell=bash
# Builds pjsua, the telephone of PJSIP, out of the sources that Debian's asterisk carries. Nobody has it as a package.
# Sourced after common.sh. The program is a peer of the tests and stays in the cache folder.

source "$REPO/scripts/lib/debian.sh"

PJSUA_SUITE=forky # the Debian suite that has asterisk
PJSUA_PACKAGES=(gcc g++ make libc6-dev libssl-dev libsrtp2-dev libsamplerate0-dev xz-utils)
PJSUA_OPTIONS=(
    --disable-sound --disable-video --disable-sdl --disable-ffmpeg --disable-v4l2 --disable-libyuv --disable-upnp
    --disable-gsm-codec --disable-ilbc-codec --disable-g7221-codec --disable-speex-codec --disable-speex-aec
    --disable-opus --disable-silk --disable-bcg729 --disable-libwebrtc --disable-libwebrtc-aec3
    --enable-libsamplerate --with-external-srtp
)

bring_pjsua() { # a step of its own: about half a minute the first time, nothing afterwards
    local stamp
    command -v apt-get >/dev/null || return 0
    stamp=$(cksum <"$REPO/scripts/lib/pjsua.sh")
    ! pjsua_is_current "$stamp" || return 0
    install_missing "what pjsua is built with" "${PJSUA_PACKAGES[@]}"
    take_lock
    if pjsua_is_current "$stamp"; then
        release_lock # another clone has just built it
        return 0
    fi
    say "building pjsua (about half a minute)"
    if build_pjsua >"$CACHE/pjsua.log" 2>&1 </dev/null; then
        echo "$stamp" >"$CACHE/pjsua/stamp"
    else
        tail -n 5 "$CACHE/pjsua.log" >&2
        say "pjsua could not be built (log: $CACHE/pjsua.log)"
    fi
    release_lock
}

pjsua_is_current() { # stamp
    [[ -f $CACHE/pjsua/stamp && $(<"$CACHE/pjsua/stamp") == "$1" ]] && "$CACHE/pjsua/bin/pjsua" --version >/dev/null 2>&1
}

build_pjsua() {
    local state=$CACHE/pjsua.apt source=$CACHE/pjsua.src uri hash folder
    private_apt "$state" deb-src "$PJSUA_SUITE" || return 1
    rm -rf "$source" "$CACHE/pjsua" && mkdir -p "$source" "$CACHE/pjsua/bin" || return 1
    # Of all the parts of that source package only this one; its hash stands in an index that apt has verified.
    read -r uri _ _ hash < <(
        apt-get -q -c "$state/apt.conf" source --print-uris --only-source asterisk | tr -d "'" | grep -F Xpjproject.tar
    ) || return 1
    /usr/lib/apt/apt-helper -c "$state/apt.conf" download-file "$uri" "$source.tar.xz" "$hash" || return 1
    tar --extract --xz --file "$source.tar.xz" --directory "$source" --strip-components=1 || return 1

    # Debian leaves out a sound device for which the list of objects still asks.
    sed -i 's/ *bdimad_dev\.o//' "$source/pjmedia/build/Makefile" || return 1
    printf '#define PJ_HAS_IPV6 1\n#define PJSUA_MAX_CALLS 8\n' >"$source/pjlib/include/pj/config_site.h" || return 1
    mkdir -p "$source"/{pjlib,pjlib-util,pjnath,third_party,pjmedia,pjsip}/lib || return 1
    (cd "$source" && CFLAGS='-O1 -w' CXXFLAGS='-O1 -w' ./aconfigure "${PJSUA_OPTIONS[@]}") || return 1
    for folder in pjlib pjlib-util pjnath third_party pjmedia pjsip; do
        make -C "$source/$folder/build" -j "$(nproc)" lib PJ_EXCLUDE_PJSUA2=1 || return 1
    done
    make -C "$source/pjsip-apps/build" pjsua PJ_EXCLUDE_PJSUA2=1 || return 1
    cp "$source"/pjsip-apps/bin/pjsua-* "$CACHE/pjsua/bin/pjsua" || return 1
    "$CACHE/pjsua/bin/pjsua" --version || return 1
    rm -rf "$state" "$source" "$source.tar.xz"
}
