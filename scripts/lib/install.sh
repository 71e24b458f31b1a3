# shellcheck shell=bash
# shellcheck disable=SC2154 # root: lib/shell.sh
# How foreign packages come in: apt for the machine, .venv and node_modules inside the checkout for the rest. Sourced by
# scripts/packages, which says what is wanted; needs lib/shell.sh. Each function does nothing when nothing is lacking.

have() {
    case $1 in
    # Debian splits the standard library: a python3 without ensurepip can make no virtual environment.
    python3-with-venv) python3 -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ;;
    *) command -v "$1" >/dev/null ;;
    esac
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "this needs root or sudo: $*"
    fi
}

# install_apt PACKAGE[/COMMAND]...
install_apt() {
    local entry lacking=()
    for entry in "$@"; do
        case $entry in
        */*) have "${entry#*/}" || lacking+=("${entry%%/*}") ;;
        *) dpkg-query -W -f='${db:Status-Status}\n' "$entry" 2>/dev/null | grep -qx installed || lacking+=("$entry") ;;
        esac
    done
    [ ${#lacking[@]} -gt 0 ] || return 0
    command -v apt-get >/dev/null || die "no apt-get here; please install what these Debian packages hold: ${lacking[*]}"
    say "installing Debian packages: ${lacking[*]}"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q >&2 || die "apt-get update failed"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${lacking[@]}" >&2 ||
        die "apt-get install failed"
}

# stamped FILE TEXT: true when FILE says that exactly this was installed.
stamped() {
    [ -f "$1" ] && [ "$(cat "$1")" = "$2" ]
}

# install_pip REQUIREMENT...: a stamp a requirement, so that a bigger group later adds only what it has more.
install_pip() {
    local venv=$root/.venv requirement lacking=()
    [ $# -gt 0 ] || return 0
    # A virtual environment does not survive a move of the checkout or of its Python.
    if [ -d "$venv" ] && ! stamped "$venv/made-in" "$root" || [ -d "$venv" ] && ! "$venv/bin/python" -c '' 2>/dev/null; then
        say "removing .venv: it was made elsewhere or its Python is gone"
        rm -rf "$venv"
    fi
    if [ ! -d "$venv" ]; then
        say "creating .venv ($(python3 --version))"
        python3 -m venv "$venv" >&2 || die "python3 cannot create .venv"
        printf '%s\n' "$root" >"$venv/made-in"
    fi
    mkdir -p "$venv/installed"
    for requirement in "$@"; do
        [ -f "$venv/installed/$requirement" ] || lacking+=("$requirement")
    done
    [ ${#lacking[@]} -gt 0 ] || return 0
    say "installing Python packages into .venv: ${lacking[*]}"
    # All of them: pip must see the pins together.
    "$venv/bin/python" -m pip install --quiet --no-input --disable-pip-version-check "$@" >&2 || die "pip install failed"
    rm -f "$venv"/installed/*
    for requirement in "$@"; do
        : >"$venv/installed/$requirement"
    done
}

# install_npm PACKAGE@VERSION...
install_npm() {
    local folder=$root/tests/integration
    [ $# -gt 0 ] || return 0
    stamped "$folder/node_modules/.installed" "$*" && return 0
    say "installing JavaScript packages into tests/integration/node_modules: $*"
    npm install --prefix "$folder" --no-save --no-package-lock --no-audit --no-fund --loglevel=error "$@" >&2 ||
        die "npm install failed"
    printf '%s\n' "$*" >"$folder/node_modules/.installed"
}
