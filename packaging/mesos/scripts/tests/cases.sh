#!/bin/sh
# Whole configurations, in the shapes that configuration managers and scripts have left on machines: cases/NAME/etc, and
# in cases/NAME/expected the role and every flag as the daemon has it in the end; or `refused` and words of the sentence.
# Then configurations by chance (precedence), in which what counts is known.
#
# MESOS_SBIN=DIR asks the real daemons in DIR as well: the stand-in and they must agree about every command line.
set -u
# shellcheck source=scripts/tests/stage.sh
. "$(dirname "$0")/stage.sh"
seed=${SEED:-$(date +%s)}

# run FOLDER: one configuration.
run() {
	stage
	: >"$root/usr/sbin/only-flags"
	cp -R "$1/etc/." "$root/etc/"
	read -r role <"$1/expected"
	launch "$role"
	refused=$(sed -n 's/^refused //p' "$1/expected")
	if [ -n "$refused" ]; then
		case $status/$out/$err in
		78//*"$refused"*) passed=$((passed + 1)) && return ;;
		esac
	elif [ "$status" -eq 0 ] && sed 1d "$1/expected" | cmp -s - "$top/out"; then
		passed=$((passed + 1))
		return
	fi
	failed=$((failed + 1))
	printf 'FAILED: %s: status %s: %s\n' "$1" "$status" "$err" >&2
	sed 1d "$1/expected" | diff - "$top/out" >&2
}
for case in "$here"/cases/*/; do run "${case%/}"; done

"$here/precedence" "$top/chance" "$seed" 40
for case in "$top"/chance/*/; do
	before=$failed
	run "${case%/}"
	if [ "$failed" -gt "$before" ]; then
		echo "  SEED=$seed makes it again" >&2
		(cd "$case" && find etc -type f -exec sh -c 'echo "  $1: $(cat "$1")"' sh {} \;) >&2
	fi
done
printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
