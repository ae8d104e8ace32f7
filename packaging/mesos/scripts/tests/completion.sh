#!/bin/bash
# config/bash-completion/mesos, with a program that prints the help of Mesos's flags in place of Mesos.
# Exit status 0 when every case holds. The last line counts the cases.
set -u
here=$(cd "$(dirname "$0")" && pwd)
top=$(mktemp -d "${TMPDIR:-/tmp}/completion.XXXXXX") || exit 1
trap 'rm -rf "$top"' EXIT
cat >"$top/mesos-master" <<'STUB'
#!/bin/sh
cat <<HELP
Usage: mesos-master [options]

  --acls=VALUE                                              The value could be a JSON string, see
                                                            --not_a_flag=this.
  --[no-]authenticate_agents, --[no-]authenticate_slaves    If true, only authenticated ones.
  --agent_ping_timeout=VALUE, --slave_ping_timeout=VALUE    The timeout.
HELP
STUB
# The form of Python's argparse.
cat >"$top/mesos-ps" <<'STUB'
#!/bin/sh
cat <<HELP
usage: mesos-ps [-h] --master MASTER

options:
  -h, --help            show this help message and exit
  --master MASTER       the master
HELP
STUB
chmod 755 "$top"/mesos-*
PATH=$top:$PATH
passed=0
failed=0
nospace=
compopt() { nospace="$*"; }
# shellcheck source=/dev/null
. "$here/../../config/bash-completion/mesos"

gives() { # gives EXPECTED WORD…: what completes the last word
	local expected=$1
	shift
	COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=() nospace=
	_mesos "$1" "${!#}" "${COMP_WORDS[COMP_CWORD - 1]}"
	if [[ ${COMPREPLY[*]} == "$expected" ]]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAILED: $*: expected '$expected', got '${COMPREPLY[*]}'" >&2
	fi
}

gives '--acls= --authenticate_agents --no-authenticate_agents --agent_ping_timeout=' mesos-master --
gives '--authenticate_agents' mesos-master --au
gives '--agent_ping_timeout=' mesos-master --authenticate_agents --ag
if [[ $nospace == '-o nospace' ]]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
gives '' mesos-master --not
gives '' mesos-master /var
gives '--help --master' mesos-ps -
gives 'master agent --print --root --started --help' mesos-init-wrapper ''
gives '--print' mesos-init-wrapper --p
gives 'master' mesos-init-wrapper --print m
gives '--' mesos-init-wrapper --print master ''
mkdir "$top/image"
cd "$top" || exit 1
gives 'image' mesos-init-wrapper --root im
# Every program with flags is completed.
for program in mesos-init-wrapper mesos-master mesos-agent mesos-slave mesos-execute mesos-local mesos-resolve mesos-ps; do
	if [[ $(complete -p "$program" 2>/dev/null) == *_mesos* ]]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
done

printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
