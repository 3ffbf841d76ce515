# shellcheck shell=bash
# Brings Asterisk, which Debian 12 lacks and a later suite has; it runs out of the cache folder with a loader of its own.
# Sourced after common.sh. The program is a peer of the tests: $CACHE/asterisk/bin/asterisk.

source "$REPO/scripts/lib/debian.sh"

ASTERISK_SUITE=forky # the Debian suite whose asterisk is unpacked

bring_asterisk() { # a step of its own: about ten seconds the first time, nothing afterwards
    ! has_asterisk || return 0
    command -v apt-get >/dev/null || return 0
    take_lock
    if ! has_asterisk; then # else another clone has just brought it
        say "unpacking Debian's Asterisk (about 85 MB)"
        if ! unpack_asterisk >"$CACHE/asterisk.log" 2>&1 </dev/null || ! has_asterisk; then
            tail -n 5 "$CACHE/asterisk.log" >&2
            say "Asterisk could not be unpacked (log: $CACHE/asterisk.log)"
        fi
    fi
    release_lock
}

has_asterisk() {
    command -v asterisk >/dev/null || "$CACHE/asterisk/bin/asterisk" -V >/dev/null 2>&1
}

unpack_asterisk() {
    local state=$CACHE/asterisk.apt root=$CACHE/asterisk.new final=$CACHE/asterisk
    private_apt "$state" deb "$ASTERISK_SUITE" || return 1
    unpack_with_needs "$state" "$root" asterisk asterisk-modules || return 1
    find_loader "$root" || return 1
    # Of what its packages depend on, the libraries are all that runs.
    find "$root/usr/share" -mindepth 1 -maxdepth 1 ! -name asterisk -exec rm -rf {} + || return 1
    rm -rf "${root:?}"/{etc,var,usr/bin,usr/include,usr/libexec} "$LIBRARIES"/{perl,perl5,perl-base,gconv,nss} || return 1
    mkdir "$root/bin" || return 1
    cat >"$root/bin/asterisk" <<RUN || return 1
#!/bin/sh
exec "$final${LOADER#"$root"}" --library-path "$final${LIBRARIES#"$root"}" "$final/usr/sbin/asterisk" "\$@"
RUN
    chmod 755 "$root/bin/asterisk" || return 1
    rm -rf "$final" && mv "$root" "$final" && rm -rf "$state"
}
