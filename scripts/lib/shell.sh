# shellcheck shell=bash
# shellcheck disable=SC2034 # used by those that source this
# What the shell scripts share; sourced, never run. It gives: root (the checkout), say, die, usage.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

# Progress goes to stderr: stdout belongs to the results.
say() {
    printf '%s\n' "${0##*/}: $*" >&2
}

die() {
    say "$*"
    exit 2
}

# Prints the comment block at the head of the running script: the one place where its help is written.
usage() {
    awk 'NR > 1 { if ($0 !~ /^#/) exit; sub(/^# ?/, ""); print }' "$0"
}

# asks_help "$@": true when --help or -h stands among the arguments, before any "--".
asks_help() {
    local arg
    for arg in "$@"; do
        case $arg in
        --) return 1 ;;
        -h | --help) return 0 ;;
        esac
    done
    return 1
}

# Seconds (whole) of one step, for the summaries.
seconds_since() {
    echo $((SECONDS - $1))
}
