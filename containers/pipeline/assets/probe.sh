# Tells, in lines `ASPECT VALUE`, what a phase sees of the circumstances that a rebuild varies.
echo "cpus $(nproc) processors, -j$JOBS"
echo "memory $MEMORY_BYTES bytes"
echo "hostname $(uname -n)"
echo "user $(id -un) ($(id -u):$(id -g))"
echo "umask $(umask)"
# Of this hour, so that two runs of the same clock say the same.
echo "time $(date --utc '+%Y-%m-%d %H h')"
echo "timezone $(date +%z)"
echo "locale ${LC_ALL:-${LANG:-}}, $(locale charmap 2>/dev/null)"
probe=$(mktemp -d)
: >"$probe/a" && : >"$probe/b" && : >"$probe/c"
echo "order $(ls -U "$probe" | tr '\n' ' ')"
rm -r "$probe"
echo "environment $(env | sed -n 's/^\(HOME\|LOGNAME\|USER\|SHELL\|CAPTURE_ENVIRONMENT\)=/\1=/p' | LC_ALL=C sort | tr '\n' ' ')"
echo "kernel $(uname -r)"
if [ -n "${VARY_DELAY:-}" ] && grep -q /build/vary/vary.so /proc/self/maps; then
    echo "jobs compilers start up to $VARY_DELAY ms late"
else
    echo "jobs compilers start at once"
fi
