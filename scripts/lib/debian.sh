# shellcheck shell=bash
# Debian packages: those that the machine lacks, and what its own release lacks, by an apt with a state of its own.
# Sourced after common.sh.

install_missing() { # what they are, packages: installs those that are missing, where that may be done
    local what=$1 package missing=()
    shift
    command -v dpkg-query >/dev/null || return 0
    for package in "$@"; do
        [[ $(dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
            missing+=("$package")
    done
    [[ ${#missing[@]} -gt 0 ]] || return 0
    if ! can_be_root passwordless; then
        say "not root and no sudo without a password: cannot install ${missing[*]}"
        return 0
    fi
    take_lock
    say "installing $what: ${missing[*]}"
    apt_install "${missing[@]}" || say "some of them could not be installed"
    release_lock
}

debian_mirror() { # the mirror that this machine's own apt uses
    local codename
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
        awk -v codename="$codename" '
            $2 == "main" && ($1 == codename || $1 ~ /^(oldstable|stable|testing|unstable|sid)$/) { print $3; exit }'
}

# Nothing of the system is changed by what follows.
private_apt() { # folder, `deb` or `deb-src`, suite: then `apt-get -c FOLDER/apt.conf` knows that suite and nothing else
    local tool mirror keyring state=$1
    for tool in apt-get dpkg awk; do
        command -v "$tool" >/dev/null || { echo "no $tool: this is not a Debian machine"; return 1; }
    done
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    [[ -r $keyring ]] || keyring=/usr/share/keyrings/debian-archive-keyring.pgp
    [[ -r $keyring ]] || { echo "no Debian archive keyring: this is not a Debian machine"; return 1; }
    mirror=$(debian_mirror)
    [[ -n $mirror ]] || { echo "apt names no Debian mirror"; return 1; }

    # A state of its own with nothing installed makes apt resolve and verify the whole set of packages,
    # and leaves the system's lists, locks and hooks alone.
    rm -rf "$state"
    mkdir -p "$state"/{lists/partial,archives/partial,preferences.d}
    : >"$state/status"
    echo "$2 [signed-by=$keyring] $mirror $3 main" >"$state/sources.list"
    cat >"$state/apt.conf" <<CONF
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Install-Pkgs;
#clear DPkg::Post-Invoke;
Dir::State "$state";
Dir::State::Lists "$state/lists";
Dir::State::status "$state/status";
Dir::Cache "$state";
Dir::Cache::Archives "$state/archives";
Dir::Etc::SourceList "$state/sources.list";
Dir::Etc::SourceParts "-";
Dir::Etc::Preferences "-";
Dir::Etc::PreferencesParts "$state/preferences.d";
APT::Sandbox::User "root";
APT::Install-Recommends "false";
APT::Default-Release "";
APT::Get::AllowUnauthenticated "false";
Acquire::Languages "none";
Acquire::Retries "2";
CONF
    apt-get -q -c "$state/apt.conf" update
}

unpack_with_needs() { # state folder of a private apt, folder, packages: unpacks them and all that they depend on
    local state=$1 folder=$2 deb
    shift 2
    apt-get -q -y -c "$state/apt.conf" --download-only -o Debug::NoLocking=1 install "$@" || return 1
    rm -rf "$folder" && mkdir -p "$folder" || return 1
    for deb in "$state"/archives/*.deb; do
        dpkg -x "$deb" "$folder" || return 1
    done
}

find_loader() { # folder with unpacked packages: sets LIBRARIES and LOADER, whose names differ by architecture
    LIBRARIES=$(echo "$1"/usr/lib/*-linux-gnu*)
    LOADER=$(echo "$LIBRARIES"/ld-linux*.so.*)
    [[ -d $LIBRARIES && -e $LOADER ]] || { echo "no loader in the unpacked libraries"; return 1; }
}
