# Runs a test program and reports what it used, also when it failed:
#   run-shard.sh DRIVER REPORT PROGRAM [ARGUMENT…]
# DRIVER is run-phase.sh, which knows how the control groups' versions differ.
driver=$1
report=$2
shift 2
# In a function without arguments: with arguments the driver would run a phase.
load() { . "$driver"; }
load

# One stream: the log keeps the order in which things were said.
exec 2>&1 </dev/null
umask 022
watch_memory &
watcher=$!
status=0
"$@" || status=$?
kill "$watcher" 2>/dev/null || :
{
    echo "exit $status"
    figures
} >"$report.new"
mv "$report.new" "$report"
exit "$status"
