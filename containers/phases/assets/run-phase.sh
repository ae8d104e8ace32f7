# Runs a phase's script and reports what it used, also when it failed.
#   run-phase.sh SCRIPT REPORT
# memory.sh beside it watches over memory. It decides what runs when, not what is written, and so is no part of the plan.
. "${0%/*}/memory.sh"

# One stream: the log keeps the order in which things were said.
exec 2>&1 </dev/null
umask 022
mkdir -p "$HOME" /build/out
rm -f "$2"
begin_phase
status=0
/bin/sh "$1" || status=$?
end_phase
{
    echo "exit $status"
    phase_figures
} >"$2.new"
mv "$2.new" "$2"
exit "$status"
