# What a scenario of a recipe can call. It is read before the script, after cluster/environment and `set -eu`.
#
# The script runs as root on a node made for it, in which $PACKAGES is the folder with the packages that apt takes, and
# MASTERS and the like name this very node. What it prints stands in the table. It fails if a check fails, or it itself.
export DEBIAN_FRONTEND=noninteractive
passed=0
failed=0

# check WHAT COMMAND…: the command must succeed; else what it said is told, and the script goes on.
check() {
    checked=$1
    shift
    if answer=$("$@" 2>&1); then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED: %s\n%s\n' "$checked" "$answer" >&2
    fi
}

# says WORDS TEXT
says() {
    case $2 in
    *"$1"*) ;;
    *) echo "'$1' is not in: $2" && return 1 ;;
    esac
}

# is ACTUAL EXPECTED
is() { [ "$1" = "$2" ] || { echo "expected '$2', found '$1'" && return 1; }; }

# fails COMMAND…
fails() { if "$@"; then return 1; fi; }

# eventually COMMAND…: tried for 30 s. What it said last is told.
eventually() {
    for _ in $(seq 60); do
        if answer=$("$@" 2>&1); then return; fi
        sleep 0.5
    done
    echo "$answer"
    return 1
}

# skip REASON: what this scenario is about cannot be had here.
skip() {
    trap - EXIT
    echo "$*"
    exit 77
}

finish() {
    ended=$?
    trap - EXIT
    if [ "$ended" -ne 0 ]; then
        echo "the script ended early, after $passed checks" >&2
        exit "$ended"
    fi
    if [ "$failed" -ne 0 ]; then
        echo "$failed of $((passed + failed)) checks failed" >&2
        exit 1
    fi
    if [ "$passed" -eq 0 ]; then
        echo "the script has checked nothing" >&2
        exit 1
    fi
    echo "$passed checks"
}
trap finish EXIT
