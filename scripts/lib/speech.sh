# shellcheck shell=bash
# Brings what the benchmark of speech needs into the cache folder: a voice to send, and PESQ to judge what comes back.
# Sourced after common.sh. The voice is that of Debian's asterisk-core-sounds-en (CC BY-SA 3.0), PESQ that of ITU-T P.862
# as the package pesq wraps it; neither is part of this project.

source "$REPO/scripts/lib/python.sh"

SPEECH_PACKAGE=asterisk-core-sounds-en-g722
SPEECH_FILE=demo-instruct.g722 # somebody reads for more than a minute

bring_speech() { # a step of its own: half a minute the first time, nothing afterwards
    local folder=$CACHE/speech
    take_lock
    if [[ ! -f $folder/speech.g722 ]]; then
        say "unpacking Debian's $SPEECH_PACKAGE (about 10 MB)"
        unpack_speech "$folder" >"$CACHE/speech.log" 2>&1 </dev/null ||
            { tail -n 5 "$CACHE/speech.log" >&2; fail "no speech could be had (log: $CACHE/speech.log)"; }
    fi
    if ! "$CACHE/score/bin/python" -c 'import pesq' >/dev/null 2>&1; then
        say "building PESQ"
        make_score "$CACHE/score" >"$CACHE/score.log" 2>&1 </dev/null ||
            { tail -n 5 "$CACHE/score.log" >&2; fail "PESQ could not be built (log: $CACHE/score.log)"; }
    fi
    release_lock
}

unpack_speech() { # folder
    rm -rf "$1.new" && mkdir -p "$1.new" || return 1
    (cd "$1.new" && apt-get -q download "$SPEECH_PACKAGE" && dpkg -x ./*.deb .) || return 1
    cp "$1.new"/usr/share/asterisk/sounds/en*/"$SPEECH_FILE" "$1.new/speech.g722" || return 1
    rm -rf "$1.new"/{usr,*.deb} "$1" && mv "$1.new" "$1"
}

make_score() { # environment
    find_uv && find_python || return 1
    "$UV" venv --quiet --clear --no-project --python "$PYTHON" "$1" || return 1
    # PESQ comes as sources, and names what builds it only when it is too late.
    "$UV" pip install --python "$1/bin/python" numpy cython setuptools || return 1
    CPATH=$CACHE/python/usr/include/python3.14:$CACHE/python/usr/include${CPATH:+:$CPATH} \
        "$UV" pip install --python "$1/bin/python" --no-build-isolation pesq
}
