# Runs a test program and reports what it used, also when it failed:
#   run-shard.sh MEMORY REPORT PROGRAM [ARGUMENT…]
# MEMORY is memory.sh, which knows how the control groups' versions differ.
memory=$1
report=$2
shift 2
. "$memory"

# One stream: the log keeps the order in which things were said.
exec 2>&1 </dev/null
umask 022
if [ "$(id -u)" = 0 ]; then
    # The engine mounts control groups read-only. Tests make some below the container's own.
    mounts=$(while read -r _ point kind _; do
        case $kind in cgroup | cgroup2) echo "$point" ;; esac
    done </proc/self/mounts)
    for point in $mounts; do
        mount -o remount,bind,rw "$point" || echo "$point stays read-only"
    done
    sh -eu "${memory%/*}/prepare.sh" || exit
fi
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
