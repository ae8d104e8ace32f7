# What a scenario of a recipe can call. It is read before the script, after cluster/environment and `set -eu`.
#
# The script runs as root on a node made for it, in which $PACKAGES is the folder with the packages that apt takes, and
# MASTERS and the like name this very node. What it prints stands in the table. It fails if a check fails, or it itself.
# STAGE is 1, and higher each time that it is run again: see outside.
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

# eventually COMMAND…: tried for 30 s, on a machine whose processor may be emulated for longer. What it said last is told.
eventually() {
    for _ in $(seq "$TRIES"); do
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

# outside reboot | power-cut: on a virtual machine, what only somebody outside of it can do. The script ends here, and is
# run again from its beginning once the machine has booted, with STAGE one higher than before.
outside() {
    trap - EXIT
    [ "$failed" -eq 0 ] || { echo "$failed of $((passed + failed)) checks failed in stage $STAGE" >&2 && exit 1; }
    echo "$passed checks, then: $*"
    echo "$*" >/run/outside
    exit 76
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
