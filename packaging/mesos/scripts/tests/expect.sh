# What launcher.sh and isolation.sh expect of a launch, and how they say so. Sourced by both, after stage.sh.
# shellcheck shell=sh
newline='
'

# begin NAME: a fresh root with a configuration that starts.
begin() {
	case_name=$1
	stage
	mkdir "$root/etc/mesos-master" "$root/etc/mesos-agent"
	echo 192.0.2.1:5050 >"$root/etc/mesos-agent/master"
}

ok() { passed=$((passed + 1)); }
not_ok() {
	failed=$((failed + 1))
	printf 'FAILED: %s: %s\n  status %s\n  output: %s\n  errors: %s\n' "$case_name" "$1" "$status" "$out" "$err" >&2
}
has() { # has LINE: a whole line of the output
	case "$newline$out$newline" in
	*"$newline$1$newline"*) ok ;;
	*) not_ok "expected '$1'" ;;
	esac
}
lacks() { # lacks TEXT: nowhere in the output
	case $out in *"$1"*) not_ok "did not expect '$1'" ;; *) ok ;; esac
}
starts() { if [ "$status" -eq 0 ]; then ok; else not_ok "did not start"; fi; }
says() { case $err in *"$1"*) ok ;; *) not_ok "expected to be told '$1'" ;; esac; }
not_told() { case $err in *"$1"*) not_ok "did not expect to be told '$1'" ;; *) ok ;; esac; }
silent() { case $err in '') ok ;; *) not_ok "expected no word" ;; esac; }
refused() { # refused TEXT: configuration error, told with TEXT, nothing started
	if [ "$status" -eq 78 ] && [ -z "$out" ]; then ok; else not_ok "expected status 78 and nothing started"; fi
	says "$1"
}
