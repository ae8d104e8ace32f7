#!/bin/sh
# Every rule of scripts/mesos-init-wrapper, without Mesos: a folder stands in for /, and in it a program that prints what
# it was given stands in for mesos-master and mesos-agent. Run it under each shell that /bin/sh may be:
#   dash launcher.sh; LAUNCHER_SHELL=bash launcher.sh
# Exit status 0 when every case holds. The last line counts the cases.
set -u
# shellcheck source=scripts/tests/stage.sh
. "$(dirname "$0")/stage.sh"
# shellcheck source=scripts/tests/expect.sh
. "$(dirname "$0")/expect.sh"

begin 'a flag file'
echo 5051 >"$root/etc/mesos-agent/port"
launch agent
starts
has 'arg<--port=5051>'
has 'arg<--work_dir=/var/lib/mesos/agent>'
has 'arg<--master=192.0.2.1:5050>'

begin 'flags without value'
: >"$root/etc/mesos-agent/?switch_user"
: >"$root/etc/mesos-agent/?no-hostname_lookup"
launch agent
has 'arg<--switch_user>'
has 'arg<--no-hostname_lookup>'

begin 'a file named no-flag, as the older launcher took it'
: >"$root/etc/mesos-agent/no-switch_user"
launch agent
has 'arg<--no-switch_user>'
echo true >"$root/etc/mesos-agent/no-switch_user"
launch agent
refused '?no-switch_user'
rm "$root/etc/mesos-agent/no-switch_user"
: >"$root/etc/mesos-agent/no-port"
launch agent
refused '?no-port'

begin 'an empty file of a boolean'
: >"$root/etc/mesos-agent/strict"
launch agent
has 'arg<--strict>'

begin "an option of the older launcher itself"
: >"$root/etc/mesos-agent/?no-logger"
: >"$root/etc/mesos-master/no-logger"
launch agent
starts
lacks logger
launch master
starts
lacks logger

begin 'booleans that Mesos would not read'
for wrong in True yes FALSE off; do
	echo $wrong >"$root/etc/mesos-agent/hostname_lookup"
	launch agent
	refused "/etc/mesos-agent/hostname_lookup: --hostname_lookup is true or false"
done
rm "$root/etc/mesos-agent/hostname_lookup"
echo MESOS_SWITCH_USER=No >"$root/etc/default/mesos"
launch agent
refused 'MESOS_SWITCH_USER: --switch_user is true or false'
launch master
starts

begin 'a flag with a value that is given like a boolean'
: >"$root/etc/mesos-agent/?port"
launch agent
refused '?port: --port wants a value'
rm "$root/etc/mesos-agent/?port"
: >"$root/etc/mesos-agent/?no-port"
launch agent
refused '?no-port: --port wants a value'

begin 'a name in capitals, which Mesos takes'
echo 5059 >"$root/etc/mesos-agent/Port"
launch agent
starts
has 'arg<--Port=5059>'

begin 'white space around a value, and a Windows line end'
printf '  \n\t 5051 \r\n\n' >"$root/etc/mesos-agent/port"
launch agent
has 'arg<--port=5051>'

begin 'no line end at the end of the file'
printf 5051 >"$root/etc/mesos-agent/port"
launch agent
has 'arg<--port=5051>'

begin 'spaces, quotes and everything a shell would act on'
# shellcheck disable=SC1003,SC2016 # nothing may expand here or later
printf '%s\n' 'a  b "c" '\''d'\'' $(touch x) `id` $HOME * ; & | \n \\' >"$root/etc/mesos-master/cluster"
launch master
# shellcheck disable=SC2016
has 'arg<--cluster=a  b "c" '\''d'\'' $(touch x) `id` $HOME * ; & | \n \\>'

begin 'JSON on several lines'
printf '{\n  "permissive": false\n}\n' >"$root/etc/mesos-master/acls"
launch master
has "arg<--acls={${newline}  \"permissive\": false${newline}}>"

begin 'a # in a flag file is no comment'
echo '#1' >"$root/etc/mesos-master/cluster"
launch master
has 'arg<--cluster=#1>'

begin 'an empty flag file'
: >"$root/etc/mesos-agent/port"
launch agent
refused "/etc/mesos-agent/port is empty"

begin 'left-overs of editors and dpkg'
for name in port~ port.dpkg-old port.dpkg-dist port.dpkg-new port.ucf-dist .port .port.swp port.bak port.orig '#port#' port.rpmsave; do
	echo 1 >"$root/etc/mesos-agent/$name"
done
mkdir "$root/etc/mesos-agent/attributes"
echo 1 >"$root/etc/mesos-agent/attributes/rack~"
echo 1 >"$root/etc/mesos-agent/attributes/.rack"
launch agent
starts
lacks '--port'
lacks rack
silent

begin 'a name that is no flag'
echo 1 >"$root/etc/mesos-agent/read me.txt"
launch agent
starts
lacks read
says 'read me.txt is ignored'

begin 'a name that is no flag of this program'
: >"$root/etc/mesos-agent/?no-switch_user"
echo memory >"$root/etc/mesos-agent/slave_subsystems"
launch agent
starts
silent
echo 1 >"$root/etc/mesos-agent/atributes"
launch agent
refused "/etc/mesos-agent/atributes: mesos-agent has no flag --atributes"
rm "$root/etc/mesos-agent/atributes"
echo 1 >"$root/etc/mesos-agent/not_a_flag"
launch agent
refused 'has no flag --not_a_flag'

begin 'the same flag twice'
echo true >"$root/etc/mesos-agent/switch_user"
: >"$root/etc/mesos-agent/?no-switch_user"
launch agent
refused '--switch_user is given more than once'

begin 'a folder among the flags'
mkdir "$root/etc/mesos-master/attributes"
launch master
starts
says 'attributes is a folder'

begin 'a dangling link'
ln -s /nowhere "$root/etc/mesos-agent/port"
launch agent
refused 'symbolic link to nothing'

begin 'attributes and resources, one file each, sorted'
mkdir "$root/etc/mesos-agent/attributes" "$root/etc/mesos-agent/resources"
echo ' north west ' >"$root/etc/mesos-agent/attributes/rack"
echo '[1-3, 7-9]' >"$root/etc/mesos-agent/attributes/level"
: >"$root/etc/mesos-agent/attributes/unset"
echo 4 >"$root/etc/mesos-agent/resources/cpus(prod)"
echo '[31000-32000]' >"$root/etc/mesos-agent/resources/ports"
launch agent
has 'arg<--attributes=level:[1-3, 7-9];rack:north west>'
has 'arg<--resources=cpus(prod):4;ports:[31000-32000]>'

begin 'attributes in one file'
echo 'rack:a;level:1' >"$root/etc/mesos-agent/attributes"
launch agent
has 'arg<--attributes=rack:a;level:1>'

begin 'an empty attributes folder'
mkdir "$root/etc/mesos-agent/attributes"
launch agent
lacks attributes

begin 'a name in attributes/ that would split'
mkdir "$root/etc/mesos-agent/attributes"
echo x >"$root/etc/mesos-agent/attributes/a;b"
launch agent
refused "may stand in the name"

begin 'variables of /etc/default'
cat >"$root/etc/default/mesos" <<'DEFAULTS'
IP=192.0.2.9
LOGS=/var/lib/mesos/log
FROM_DEFAULTS="for both"
ULIMIT="-n 64"
DEFAULTS
cat >"$root/etc/default/mesos-master" <<'DEFAULTS'
PORT=5055
CLUSTER="my cluster"
export MESOS_HOSTNAME=m1
DEFAULTS
launch master
starts
has 'arg<--ip=192.0.2.9>'
has 'arg<--log_dir=/var/lib/mesos/log>'
has 'arg<--port=5055>'
has 'arg<--cluster=my cluster>'
has 'env FROM_DEFAULTS=for both'
has 'env MESOS_HOSTNAME=m1'
has 'files 64'
not_told ULIMIT
lacks 'env IP='
lacks 'env PORT='
launch agent
has 'arg<--ip=192.0.2.9>'
lacks '--port'
lacks MESOS_HOSTNAME

begin 'ISOLATION and MASTER for the agent'
rm "$root/etc/mesos-agent/master"
printf 'ISOLATION=cgroups/cpu,cgroups/mem\nMASTER=192.0.2.7:5050\nPORT=1\n' >"$root/etc/default/mesos-agent"
launch agent
has 'arg<--isolation=cgroups/cpu,cgroups/mem>'
has 'arg<--master=192.0.2.7:5050>'
lacks '--port'

begin 'a flag file wins over a variable'
echo 'PORT=1' >"$root/etc/default/mesos-master"
echo 2 >"$root/etc/mesos-master/port"
launch master
has 'arg<--port=2>'
lacks 'port=1'

begin 'variables of the caller are no configuration'
extra_env=PORT=9
launch master
lacks '--port'

begin 'an unset variable or a failing command in /etc/default'
# shellcheck disable=SC2016
printf 'false\nCLUSTER=a$NOT_SET\n' >"$root/etc/default/mesos-master"
launch master
starts
has 'arg<--cluster=a>'

begin '/etc/mesos/zk'
printf '# comment\n\n  zk://a:2181,b:2181/mesos  \n' >"$root/etc/mesos/zk"
echo 1 >"$root/etc/mesos-master/quorum"
launch master
has 'arg<--zk=zk://a:2181,b:2181/mesos>'
has 'arg<--quorum=1>'
rm "$root/etc/mesos-agent/master"
launch agent
has 'arg<--master=zk://a:2181,b:2181/mesos>'

begin 'ZK from a command, as in older packages'
printf '# comment\nzk://a:2181/mesos\n' >"$root/etc/mesos/zk"
echo "ZK=\`cat $root/etc/mesos/zk\`" >"$root/etc/default/mesos-master"
echo 1 >"$root/etc/mesos-master/quorum"
launch master
has 'arg<--zk=zk://a:2181/mesos>'

begin 'a zk file of comments: a master alone, an agent without master'
echo '# zk://localhost:2181/mesos' >"$root/etc/mesos/zk"
launch master
starts
lacks zk
rm "$root/etc/mesos-agent/master"
launch agent
refused 'the agent has no master'

begin 'an agent with its own master file ignores zk'
echo 'zk://a:2181/mesos' >"$root/etc/mesos/zk"
launch agent
has 'arg<--master=192.0.2.1:5050>'
lacks zk

begin 'the master in the environment'
rm "$root/etc/mesos-agent/master"
echo 'MESOS_MASTER=192.0.2.8:5050' >"$root/etc/default/mesos-agent"
launch agent
starts
has 'env MESOS_MASTER=192.0.2.8:5050'
lacks '--master'

begin 'a detector module instead of a master'
rm "$root/etc/mesos-agent/master"
echo 'zk://a:2181/mesos' >"$root/etc/mesos/zk"
echo org_example_detector >"$root/etc/mesos-agent/master_detector"
launch agent
starts
lacks '--master='

begin 'two URLs in zk'
printf 'zk://a:2181/mesos\nzk://b:2181/mesos\n' >"$root/etc/mesos/zk"
launch master
refused 'more than one line'

begin 'a zk URL without path, host or scheme'
echo 1 >"$root/etc/mesos-master/quorum"
for url in zk://a:2181 zk://a:2181/; do
	echo "$url" >"$root/etc/mesos/zk"
	launch master
	refused 'has no path'
done
echo 'zk:///mesos' >"$root/etc/mesos/zk"
launch master
refused 'names no ZooKeeper host'
echo 'a:2181' >"$root/etc/mesos/zk"
launch master
refused 'does not start with zk://'

begin 'quorum'
echo 'zk://a:2181,b:2181,c:2181/mesos' >"$root/etc/mesos/zk"
launch master
refused 'needs --quorum'
for wrong in 0 -1 two 1.5 ''; do
	[ -n "$wrong" ] || continue
	echo "$wrong" >"$root/etc/mesos-master/quorum"
	launch master
	refused 'is not a number from 1 on'
done
echo 2 >"$root/etc/mesos-master/quorum"
launch master
starts
silent_but_root=$(printf '%s' "$err" | grep -v 'running as root' || true)
err=$silent_but_root
silent
echo 4 >"$root/etc/mesos-master/quorum"
launch master
starts
says 'names 3 host(s)'
echo 'MASTERS=3' >"$root/etc/default/mesos-master"
launch master
refused 'is more than the 3 masters'
echo 1 >"$root/etc/mesos-master/quorum"
launch master
refused 'is no majority of 3 masters'
echo 2 >"$root/etc/mesos-master/quorum"
launch master
starts
echo 'MASTERS=5' >"$root/etc/default/mesos-master"
launch master
refused 'is no majority of 5 masters'
for other in three m1:5050,m2:5050 zk://u:s3cret@a/; do
	echo "MASTERS=$other" >"$root/etc/default/mesos-master"
	launch master
	starts
	says 'MASTERS in /etc/default is not the number of masters'
	not_told "$other"
done
rm "$root/etc/default/mesos-master" "$root/etc/mesos-master/quorum"
echo in_memory >"$root/etc/mesos-master/registry"
launch master
starts

begin 'quorum in the environment'
echo 'zk://a:2181/mesos' >"$root/etc/mesos/zk"
echo 'MESOS_QUORUM=1' >"$root/etc/default/mesos-master"
launch master
starts
has 'env MESOS_QUORUM=1'

begin 'quorum without zk'
echo 2 >"$root/etc/mesos-master/quorum"
launch master
starts
says 'without ZooKeeper: this master runs alone'
echo m >"$root/etc/mesos-master/master_contender"
echo m >"$root/etc/mesos-master/master_detector"
launch master
starts
not_told 'runs alone'
rm "$root/etc/mesos-master/master_contender" "$root/etc/mesos-master/master_detector"
echo 1 >"$root/etc/mesos-master/quorum"
launch master
starts

begin 'a quorum above the majority'
echo 'zk://a:2181,b:2181,c:2181/mesos' >"$root/etc/mesos/zk"
echo 3 >"$root/etc/mesos-master/quorum"
echo MASTERS=3 >"$root/etc/default/mesos-master"
launch master
starts
says 'stands still when 1 of them fail, and not only at 2'

begin 'work_dir and log_dir where nobody has said anything'
launch master
has 'arg<--work_dir=/var/lib/mesos/master>'
has 'arg<--log_dir=/var/log/mesos/master>'
launch agent
has 'arg<--work_dir=/var/lib/mesos/agent>'
has 'arg<--log_dir=/var/log/mesos/agent>'
echo 'LOGS=' >"$root/etc/default/mesos"
echo 'MESOS_WORK_DIR=/var/lib/mesos/env' >"$root/etc/default/mesos-agent"
launch agent
starts
lacks 'arg<--log_dir'
lacks 'arg<--work_dir'
has 'env MESOS_WORK_DIR=/var/lib/mesos/env'

begin 'a work_dir that cannot be'
echo var/lib >"$root/etc/mesos-agent/work_dir"
launch agent
refused 'not an absolute path'
: >"$root/var/lib/mesos/file"
echo /var/lib/mesos/file/agent >"$root/etc/mesos-agent/work_dir"
launch agent
refused 'is not a folder'

begin 'a work_dir that the user cannot write'
if [ "$(id -u)" -eq 0 ]; then
	launch_as_nobody master
else
	chmod 555 "$root/var/lib/mesos"
	launch master
	chmod 755 "$root/var/lib/mesos"
fi
refused 'cannot write in'

begin 'a work_dir that is read-only'
if [ "$(id -u)" -eq 0 ]; then
	# Mounting wants more than this test should have: what touch(1) says is the sign.
	printf '#!/bin/sh\necho "touch: Read-only file system" >&2; exit 1\n' >"$root/bin/touch"
	chmod 755 "$root/bin/touch"
	echo /srv/mesos >"$root/etc/mesos-master/work_dir"
	launch_as_nobody master
	refused 'is read-only here'
	says 'ReadWritePaths=/srv/mesos'
fi

begin 'secrets stay out of the argument list'
echo '{"auths": {"example.org": {"auth": "s3cret"}}}' >"$root/etc/mesos-agent/docker_config"
chmod 600 "$root/etc/mesos-agent/docker_config"
launch agent
starts
silent
has 'env MESOS_DOCKER_CONFIG={"auths": {"example.org": {"auth": "s3cret"}}}'
lacks 'arg<--docker_config'
launch --print agent
starts
lacks s3cret
has "# MESOS_DOCKER_CONFIG is set in the environment, from $root/etc/mesos-agent/docker_config"

begin 'credentials in the flag file itself'
for flag in agent/credential master/credentials agent/http_credentials; do
	echo '{"principal": "a", "secret": "s3cret"}' >"$root/etc/mesos-$flag"
	chmod 600 "$root/etc/mesos-$flag"
	launch "${flag%/*}"
	starts
	not_told 'can read'
	has "arg<--${flag#*/}=/etc/mesos-$flag>"
	lacks s3cret
	rm "$root/etc/mesos-$flag"
done

begin 'a path to a secret is no secret'
echo s3cret >"$root/etc/mesos-agent/.credential.json"
chmod 600 "$root/etc/mesos-agent/.credential.json"
for path in /etc/mesos-agent/.credential.json file:///etc/mesos-agent/.credential.json; do
	echo "$path" >"$root/etc/mesos-agent/credential"
	launch agent
	has "arg<--credential=$path>"
	silent
	chmod 600 "$root/etc/mesos-agent/credential"
	launch agent
	has "arg<--credential=$path>"
	silent
	chmod 644 "$root/etc/mesos-agent/credential"
done
echo /etc/mesos-agent/none >"$root/etc/mesos-agent/credential"
launch agent
refused '--credential=/etc/mesos-agent/none: there is no such file'
rm "$root/etc/mesos-agent/credential"
echo MESOS_CREDENTIAL=/etc/mesos-agent/none >"$root/etc/default/mesos-agent"
launch agent
refused '--credential=/etc/mesos-agent/none: there is no such file'

begin 'a secret that every user can read'
echo s3cret >"$root/etc/mesos/open"
echo /etc/mesos/open >"$root/etc/mesos-master/credentials"
launch master
starts
says "can read the secret in $root/etc/mesos/open: chgrp mesos $root/etc/mesos/open; chmod 640 $root/etc/mesos/open"
echo /etc/mesos/open >"$root/etc/mesos-agent/credential"
launch agent
says "chmod 600 $root/etc/mesos/open"
chmod 600 "$root/etc/mesos/open"
launch agent
silent
echo '{"auths": {}}' >"$root/etc/mesos-agent/docker_config"
launch agent
says "can read the secret in $root/etc/mesos-agent/docker_config"
if [ "$(id -u)" -eq 0 ]; then
	launch_as_nobody master
	refused '--credentials=/etc/mesos/open cannot be read by user'
fi

begin 'TLS'
echo key >"$root/etc/mesos/key.pem"
printf '%s\n' LIBPROCESS_SSL_ENABLED=1 LIBPROCESS_SSL_KEY_FILE=/etc/mesos/key.pem \
	LIBPROCESS_SSL_CERT_FILE=/etc/mesos/cert.pem >"$root/etc/default/mesos"
launch agent
refused 'LIBPROCESS_SSL_CERT_FILE=/etc/mesos/cert.pem: there is no such file'
echo cert >"$root/etc/mesos/cert.pem"
launch agent
starts
says "can read the private key in $root/etc/mesos/key.pem"
chmod 600 "$root/etc/mesos/key.pem"
launch agent
starts
silent

begin 'the example of README.Debian, "Security"'
example=$here/../../config/examples/security
cat "$example/default/mesos" >>"$root/etc/default/mesos"
mkdir "$root/etc/mesos/tls"
for file in key.pem cert.pem ca.pem executor-key.pem executor-cert.pem; do echo pem >"$root/etc/mesos/tls/$file"; done
install -m 600 "$example"/mesos-master/credentials "$root/etc/mesos-master/"
install -m 644 "$example"/mesos-master/a* "$example"/mesos-master/http_* "$root/etc/mesos-master/"
install -m 600 "$example"/mesos-agent/*credential* "$root/etc/mesos-agent/"
install -m 644 "$example"/mesos-agent/a* "$example"/mesos-agent/exec* "$root/etc/mesos-agent/"
chmod 600 "$root/etc/mesos/tls/key.pem"
for role in master agent; do
	launch "$role"
	starts
	not_told "every user"
	lacks CHANGE
	has 'arg<--authenticate_http_readonly=true>'
	installed=$(find "$root/etc/mesos-$role" -type f | wc -l)
	shipped=$(find "$example/mesos-$role" -type f | wc -l)
	if [ "$installed" -ge "$shipped" ]; then ok; else not_ok 'the commands leave a file out'; fi
done
has 'arg<--credential=/etc/mesos-agent/credential>'
has 'arg<--http_credentials=/etc/mesos-agent/http_credentials>'
chmod 644 "$root/etc/mesos-agent/http_credentials"
launch agent
says 'every user of this machine can read the secret'

begin 'the time-out of the ZooKeeper session'
launch master
lacks zk_session_timeout
launch agent
echo 'zk://a:2181/mesos' >"$root/etc/mesos/zk"
echo 1 >"$root/etc/mesos-master/quorum"
launch master
has 'arg<--zk_session_timeout=6secs>'
echo 10secs >"$root/etc/mesos-master/zk_session_timeout"
launch master
has 'arg<--zk_session_timeout=10secs>'
lacks 6secs
rm "$root/etc/mesos-master/zk_session_timeout"
echo MESOS_ZK_SESSION_TIMEOUT=8secs >"$root/etc/default/mesos-master"
launch master
has 'env MESOS_ZK_SESSION_TIMEOUT=8secs'
lacks 6secs
rm "$root/etc/mesos-agent/master"
launch agent
has 'arg<--master=zk://a:2181/mesos>'
lacks zk_session_timeout

# The ports that a program of this test listens on, for as long as the shell lives.
listen() { # listen ADDRESS: its port into $port
	perl -MSocket -e 'socket(S, PF_INET, SOCK_STREAM, 0); bind(S, sockaddr_in(0, inet_aton($ARGV[0]))); listen(S, 1);
		print ((sockaddr_in(getsockname(S)))[0], "\n"); close STDOUT; sleep 60' "$1" >"$top/port" &
	listener=$!
	while [ ! -s "$top/port" ]; do sleep 0.05; done
	port=$(cat "$top/port")
	: >"$top/port"
}

begin 'a port that is taken'
rm "$root/bin/perl"
listen 127.0.0.1
echo "$port" >"$root/etc/mesos-master/port"
launch master
refused "port $port is taken"
echo 127.0.0.1 >"$root/etc/mesos-master/ip"
launch master
refused "port $port is taken"
echo 127.0.0.2 >"$root/etc/mesos-master/ip"
launch master
starts
launch --print master -- --ip=127.0.0.1
starts
launch master -- --ip=127.0.0.1
refused "port $port is taken"
rm "$root/etc/mesos-master/port"
echo "MESOS_PORT=$port" >"$root/etc/default/mesos"
echo 127.0.0.1 >"$root/etc/mesos-agent/ip"
launch agent
refused "port $port is taken"
kill "$listener"
wait "$listener" 2>/dev/null
launch agent
starts

begin 'a port that cannot be'
for wrong in http 123456 -1; do
	echo "$wrong" >"$root/etc/mesos-master/port"
	launch master
	refused "--port=$wrong is not a number of a port"
done
rm "$root/bin/perl"
if [ "$(id -u)" -eq 0 ] && [ "$(cat /proc/sys/net/ipv4/ip_unprivileged_port_start)" -gt 81 ]; then
	echo 81 >"$root/etc/mesos-master/port"
	chmod 777 "$root/var/lib/mesos" "$root/var/log/mesos"
	launch_as_nobody master
	refused 'port 81 is not for user'
fi

begin 'an address of another machine: the unit is to try again'
rm "$root/bin/perl"
echo 192.0.2.1 >"$root/etc/mesos-agent/ip"
echo 0 >"$root/etc/mesos-agent/port"
launch agent
if [ "$status" -eq 75 ] && [ -z "$out" ]; then ok; else not_ok 'expected status 75'; fi
says '--ip=192.0.2.1 is no address of this machine'

begin 'an address on the loopback interface, in a cluster of several machines'
printf '#!/bin/sh\necho "127.0.1.1 STREAM host"\n' >"$root/bin/getent"
launch master
starts
not_told 'no other machine'
echo 'zk://a:2181/mesos' >"$root/etc/mesos/zk"
echo 1 >"$root/etc/mesos-master/quorum"
launch master
starts
says 'tells the others to reach it at 127.0.1.1, which is what its name,'
launch agent
starts
says 'tells the others to reach it at 127.0.1.1'
echo 127.0.0.1 >"$root/etc/mesos-agent/ip"
launch agent
says 'tells the others to reach it at 127.0.0.1, and no other machine can'
echo 192.0.2.2 >"$root/etc/mesos-agent/advertise_ip"
launch agent
silent
rm "$root/etc/mesos-agent/advertise_ip"
echo 192.0.2.2 >"$root/etc/mesos-agent/ip"
launch agent
silent
echo /usr/bin/true >"$root/etc/mesos-master/ip_discovery_command"
launch master
not_told 'no other machine'
rm "$root/etc/mesos-master/ip_discovery_command" "$root/etc/mesos-agent/ip" "$root/etc/mesos-agent/master"
for url in zk://127.0.0.1:2181/mesos zk://localhost:2181,localhost/mesos 'zk://u:p@localhost:2181/mesos'; do
	echo "$url" >"$root/etc/mesos/zk"
	launch master
	not_told 'no other machine'
	launch agent
	not_told 'no other machine'
done

begin 'ZooKeeper with a password'
echo 'zk://user:s3cret@a:2181/mesos' >"$root/etc/mesos/zk"
echo 1 >"$root/etc/mesos-master/quorum"
launch master
has 'env MESOS_ZK=zk://user:s3cret@a:2181/mesos'
lacks 'arg<--zk='
says "can read ZooKeeper's password in $root/etc/mesos/zk"
chmod 600 "$root/etc/mesos/zk"
launch --print master
silent
lacks s3cret
echo 'zk://user:s3cret@a:2181' >"$root/etc/mesos/zk"
launch master
refused 'has no path'
case $err in *s3cret*) not_ok 'the password is told' ;; *) ok ;; esac

begin 'a file that not everybody may read'
echo anything >"$root/etc/mesos-master/cluster"
echo 'zk://a:2181/mesos' >"$root/etc/mesos/zk"
echo 1 >"$root/etc/mesos-master/quorum"
chmod 640 "$root/etc/mesos-master/cluster" "$root/etc/mesos/zk"
launch master
has 'env MESOS_CLUSTER=anything'
has 'env MESOS_ZK=zk://a:2181/mesos'
lacks 'arg<--cluster'
lacks 'arg<--zk='

begin 'a file that the user may not read'
echo x >"$root/etc/mesos-master/cluster"
chmod 600 "$root/etc/mesos-master/cluster"
if [ "$(id -u)" -eq 0 ]; then
	chmod 777 "$root/var/lib/mesos" "$root/var/log/mesos"
	launch_as_nobody master
	refused 'cluster cannot be read by user'
fi

begin '--print'
echo 'a b' >"$root/etc/mesos-master/cluster"
launch --print master
starts
has "$root/usr/sbin/mesos-master '--cluster=a b' --work_dir=/var/lib/mesos/master --log_dir=/var/log/mesos/master"
echo "it's" >"$root/etc/mesos-master/cluster"
launch --print master
has "$root/usr/sbin/mesos-master '--cluster=it'\\''s' --work_dir=/var/lib/mesos/master --log_dir=/var/log/mesos/master"

begin 'flags by hand'
echo 5050 >"$root/etc/mesos-master/port"
: >"$root/etc/mesos-master/?quiet"
launch master -- --port=6060 --no-quiet --work_dir=/var/lib/mesos/other
starts
has 'arg<--port=6060>'
has 'arg<--no-quiet>'
has 'arg<--work_dir=/var/lib/mesos/other>'
lacks 'port=5050'
lacks 'arg<--quiet>'
rm "$root/etc/mesos-agent/master"
launch agent -- --master=192.0.2.2:5050
starts

begin 'systemd support only where Mesos can use it'
launch agent
has 'arg<--no-systemd_enable_support>'
mkdir -p "$root/run/systemd/system"
launch agent
has 'arg<--no-systemd_enable_support>'
mkdir -p "$root/sys/fs/cgroup/systemd" "$root/proc/1"
echo '1:name=systemd:/docker/0123456789ab/init.scope' >"$root/proc/1/cgroup"
launch agent
has 'arg<--no-systemd_enable_support>'
echo '1:name=systemd:/init.scope' >"$root/proc/1/cgroup"
launch agent
lacks systemd
rm -r "$root/run"
: >"$root/etc/mesos-agent/?systemd_enable_support"
launch agent
has 'arg<--systemd_enable_support>'
lacks 'arg<--no-systemd_enable_support>'
rm "$root/etc/mesos-agent/?systemd_enable_support"
echo MESOS_SYSTEMD_ENABLE_SUPPORT=true >"$root/etc/default/mesos-agent"
launch agent
lacks 'arg<--no-systemd_enable_support>'
launch master
lacks systemd

begin 'names before Mesos 1.0'
launch slave
starts
has 'arg<--master=192.0.2.1:5050>'
mkdir -p "$root/etc/mesos-slave/attributes" "$root/etc/mesos-agent/attributes"
echo MASTER=192.0.2.7:5050 >"$root/etc/default/mesos-slave"
rm "$root/etc/mesos-agent/master"
echo /var/lib/mesos >"$root/etc/mesos-slave/work_dir"
echo 5051 >"$root/etc/mesos-slave/port"
echo 5052 >"$root/etc/mesos-agent/port"
echo a >"$root/etc/mesos-slave/attributes/rack"
: >"$root/etc/mesos-slave/?no-switch_user"
launch agent
starts
has 'arg<--master=192.0.2.7:5050>'
has 'arg<--work_dir=/var/lib/mesos>'
has 'arg<--port=5052>'
has 'arg<--attributes=rack:a>'
has 'arg<--no-switch_user>'
lacks 5051
says "from $root/etc/mesos-slave, which an older package left: ?no-switch_user attributes/ work_dir"
says "$root/etc/default/mesos-slave, which an older package left"
echo MASTER=192.0.2.8:5050 >"$root/etc/default/mesos-agent"
echo b >"$root/etc/mesos-agent/attributes/zone"
launch agent
has 'arg<--master=192.0.2.8:5050>'
has 'arg<--attributes=zone:b>'
lacks rack:
launch master
starts
lacks 'switch_user'
not_told mesos-slave

begin 'folders that older packages shared between master and agent'
echo LOGS=/var/log/mesos >"$root/etc/default/mesos"
echo /var/lib/mesos >"$root/etc/mesos-master/work_dir"
mkdir "$root/var/lib/mesos/master" "$root/var/log/mesos/master"
chmod 777 "$root/var/lib/mesos/master" "$root/var/log/mesos/master"
if [ "$(id -u)" -eq 0 ]; then
	launch_as_nobody master
	starts
	has 'arg<--work_dir=/var/lib/mesos/master>'
	has 'arg<--log_dir=/var/log/mesos/master>'
	says '--work_dir=/var/lib/mesos belongs to root: the master uses /var/lib/mesos/master'
fi
chmod 777 "$root/var/lib/mesos" "$root/var/log/mesos"
launch master
has 'arg<--work_dir=/var/lib/mesos>'
has 'arg<--log_dir=/var/log/mesos>'
launch agent
has 'arg<--work_dir=/var/lib/mesos/agent>'
has 'arg<--log_dir=/var/log/mesos>'

begin 'waiting for the daemon'
cp "$(command -v sleep)" "$root/bin/mesos-master"
"$root/bin/mesos-master" 60 &
daemon=$!
"$shell" "$launcher" --started "$daemon" >"$top/out" 2>"$top/err"
status=$?
out=''
err=$(cat "$top/err")
starts
silent
kill "$daemon"
wait "$daemon" 2>/dev/null
sleep 0.2 &
"$shell" "$launcher" --started $! >"$top/out" 2>"$top/err"
status=$?
if [ "$status" -eq 1 ]; then ok; else not_ok 'a program that ended counts as started'; fi

begin 'the program is not installed'
rm "$root/usr/sbin/mesos-agent"
launch agent
refused 'install the package mesos-agent'

begin 'use of the command'
for arguments in '' 'both' '--unknown master' '--root' 'master --port=1' '--started' '--started x'; do
	# shellcheck disable=SC2086 # words
	env -i PATH="$PATH" "$shell" "$launcher" $arguments >"$top/out" 2>"$top/err"
	status=$?
	out=$(cat "$top/out")
	err=$(cat "$top/err")
	if [ "$status" -eq 64 ] && [ -n "$err" ] && [ -z "$out" ]; then ok; else not_ok "'$arguments' should be refused"; fi
done
launch --help
starts
case $out in Usage:*) ok ;; *) not_ok 'no usage' ;; esac


# ---- What people have written into /etc/default

begin 'names that are general, in /etc/default'
printf '%s=general\n' role root value print name flags prog given rank where port form program >"$root/etc/default/mesos"
printf 'http_proxy=http://proxy.example.org/\nfunction_of=x\nrefuse() { exit 0; }\nprint=yes\n' >>"$root/etc/default/mesos"
launch agent
starts
silent
has 'arg<--master=192.0.2.1:5050>'
has 'env http_proxy=http://proxy.example.org/'
has 'env role=general'
has 'env value=general'
has 'env print=yes'
launch master
starts
has 'env root=general'

begin 'fragments for bash'
cat >"$root/etc/default/mesos" <<'DEFAULTS'
options=(a b)
if [[ -n ${options[1]} && $HOSTNAME ]]; then name=north-east; fi
source /dev/null
export MESOS_HOSTNAME=${name//-/.}
function later { :; }
CLUSTER="$HOSTNAME"
DEFAULTS
launch master
starts
has 'env MESOS_HOSTNAME=north.east'
case $out in *'arg<--cluster='?*) ok ;; *) not_ok 'HOSTNAME is empty' ;; esac

# What the shell cannot read is told with its line, and without its text.
begin 'fragments that no shell reads'
while IFS= read -r line; do
	printf '# one\nIP=192.0.2.9\n%s\nLOGS=\n' "$line" >"$root/etc/default/mesos-agent"
	launch agent
	refused "$root/etc/default/mesos-agent, line "
	not_told s3cret
done <<'LINES'
ZK=zk://user:s3cret @a:2181/mesos
MESOS_CREDENTIAL=(/etc/s3cret)
MASTER=zk://user:s3cret&x@a:2181/mesos
ISOLATION=$(s3cret
. /nowhere/s3cret
ISOLATION = s3cret
LINES
printf 'IP=192.0.2.9\r\nLOGS=\r\n' >"$root/etc/default/mesos-agent"
launch agent
refused "mesos-agent, line 1 ends like a file of Windows"
for end in 'exit 0' 'set -e; false'; do
	printf '%s\nIP=192.0.2.9\n' "$end" >"$root/etc/default/mesos-agent"
	launch agent
	refused "$root/etc/default/mesos-agent ends the shell"
done

begin 'limits'
echo 'ULIMIT="-n 64 -c 0"' >"$root/etc/default/mesos"
launch agent
starts
silent
has 'files 64'
printf 'ulimit -n 65\numask 027\n' >"$root/etc/default/mesos"
launch agent
silent
has 'files 65'
printf 'ULIMIT="-n 99999999999"\n' >"$root/etc/default/mesos"
launch agent
starts
says '-n is not set. More than the unit allows has to be said there'
echo 'ULIMIT="-n 64 -Z 1 -n"' >"$root/etc/default/mesos"
launch agent
starts
has 'files 64'
says '-Z is not set'
says 'options and numbers are expected'

# ---- Which setting counts

begin 'a variable and a file for one flag, whatever it is called'
echo 'a' >"$root/etc/mesos-agent/agent_subsystems"
: >"$root/etc/mesos-agent/?no-switch_user"
printf 'MESOS_SLAVE_SUBSYSTEMS=b\nMESOS_SWITCH_USER=true\nMESOS_mASTER=192.0.2.8:5050\n' >"$root/etc/default/mesos-agent"
launch agent
starts
silent
has 'arg<--agent_subsystems=a>'
has 'arg<--no-switch_user>'
has 'arg<--master=192.0.2.1:5050>'
lacks 'env MESOS_'
while read -r name _ older; do
	[ -n "$older" ] || continue
	for role in master agent; do
		grep -q "^$name .* $older$" "$root/usr/lib/mesos/flags/mesos-$role" || continue
		kind=$(sed -n "s/^$name \([^ ]*\).*/\1/p" "$here/flags/mesos-$role")
		case $kind in bool) one=true two=false ;; int) one=1 two=2 ;; duration) one=1mins two=2mins ;; json) one='{}' two='{ }' ;; *) one=/etc/one two=/etc/two ;; esac
		for names in "$name:$older" "$older:$name"; do
			begin "$name and $older, for the $role"
			: >"$root/etc/one"
			: >"$root/etc/two"
			printf '%s\n' "$one" >"$root/etc/mesos-$role/${names%:*}"
			printf "MESOS_%s='%s'\n" "$(printf %s "${names#*:}" | tr '[:lower:]' '[:upper:]')" "$two" >"$root/etc/default/mesos-$role"
			launch "$role"
			starts
			has "arg<--${names%:*}=$one>"
		done
	done
done <<TABLE
$(cat "$root/usr/lib/mesos/flags/"*)
TABLE

begin 'two files for one flag'
echo a >"$root/etc/mesos-agent/agent_subsystems"
echo b >"$root/etc/mesos-agent/slave_subsystems"
launch agent
refused "--agent_subsystems is given more than once, by $root/etc/mesos-agent/agent_subsystems and by $root/etc/mesos-agent/slave_subsystems"
rm "$root/etc/mesos-agent/slave_subsystems"
mkdir "$root/etc/mesos-slave"
echo b >"$root/etc/mesos-slave/slave_subsystems"
launch agent
has 'arg<--agent_subsystems=a>'

begin 'two variables for one flag'
printf 'MESOS_AGENT_SUBSYSTEMS=a\nMESOS_SLAVE_SUBSYSTEMS=a\n' >"$root/etc/default/mesos"
launch agent
starts
echo MESOS_SLAVE_SUBSYSTEMS=b >>"$root/etc/default/mesos"
launch agent
refused '--agent_subsystems is given more than once, by MESOS_AGENT_SUBSYSTEMS and by MESOS_SLAVE_SUBSYSTEMS'

begin 'ZK, MASTER and MESOS_MASTER'
rm "$root/etc/mesos-agent/master"
echo 'ZK=zk://a:2181/mesos' >"$root/etc/default/mesos"
echo 'MESOS_MASTER=192.0.2.8:5050' >"$root/etc/default/mesos-agent"
launch agent
starts
has 'env MESOS_MASTER=192.0.2.8:5050'
lacks 'arg<--master'
echo 'MASTER=192.0.2.7:5050' >>"$root/etc/default/mesos-agent"
launch agent
says 'MESOS_MASTER and MASTER in /etc/default do not say the same for --master: MESOS_MASTER counts'
has 'env MESOS_MASTER=192.0.2.8:5050'

begin 'the new file of variables and the old folder'
mkdir "$root/etc/mesos-slave" "$root/var/lib/mesos/mine"
echo /var/lib/mesos >"$root/etc/mesos-slave/work_dir"
echo MESOS_WORK_DIR=/var/lib/mesos/mine >"$root/etc/default/mesos-agent"
launch agent
has 'env MESOS_WORK_DIR=/var/lib/mesos/mine'
lacks 'arg<--work_dir'
mv "$root/etc/default/mesos-agent" "$root/etc/default/mesos-slave"
launch agent
has 'arg<--work_dir=/var/lib/mesos>'

# ---- Where the registry is decides where the master looks

begin 'the registry of an older package'
mkdir -p "$root/var/lib/mesos/replicated_log" "$root/var/lib/mesos/master"
for said in '' /var/lib/mesos /var/lib/mesos/; do
	rm -f "$root/etc/mesos-master/work_dir"
	[ -z "$said" ] || echo "$said" >"$root/etc/mesos-master/work_dir"
	launch master
	starts
	has "arg<--work_dir=${said:-/var/lib/mesos}>"
done
if [ "$(id -u)" -eq 0 ]; then
	chmod 777 "$root/var/lib/mesos" "$root/var/lib/mesos/master" "$root/var/log/mesos"
	launch_as_nobody master
	refused "/var/lib/mesos//replicated_log, is not user nobody's to write"
	says dpkg-reconfigure
fi
echo /var/lib/mesos >"$root/etc/mesos-master/work_dir"
mv "$root/var/lib/mesos/replicated_log" "$root/var/lib/mesos/master/"
launch master
starts
has 'arg<--work_dir=/var/lib/mesos/master>'

begin "an agent's state, left by an older package"
mkdir "$root/var/lib/mesos/meta"
launch agent
has 'arg<--work_dir=/var/lib/mesos>'
mkdir -p "$root/var/lib/mesos/agent/meta"
launch agent
has 'arg<--work_dir=/var/lib/mesos/agent>'

# ---- The sandbox: the same path is another one there

begin 'a folder below /tmp'
echo /tmp/mesos >"$root/etc/mesos-master/work_dir"
mkdir "$root/tmp"
launch master
starts
says 'is below /tmp, which is emptied when the machine boots'
echo '1 2 3:4 /tmp/systemd-private-1234-mesos-master.service-abcd/tmp /tmp rw - ext4 x rw' >"$root/proc/self/mountinfo"
launch master
refused "--work_dir=/tmp/mesos is below a /tmp that is the unit's own"
says 'PrivateTmp=no'
mkdir "$root/data"
ln -s ../tmp "$root/data/link"
echo /data/link/mesos >"$root/etc/mesos-master/work_dir"
ln -sfn "$root/tmp" "$root/data/link"
launch master
refused "below a /tmp that is the unit's own"
echo /tmp/credentials >"$root/etc/mesos-master/credentials"
rm "$root/etc/mesos-master/work_dir"
launch master
refused 'the unit of the master has a /tmp of its own'

begin 'homes that the unit does not see'
for home in /home /root; do
	mkdir -p "$root$home"
	echo "1 2 3:4 /systemd/inaccessible/dir $home rw - tmpfs x rw" >"$root/proc/self/mountinfo"
	echo $home/ops/credentials >"$root/etc/mesos-master/credentials"
	launch master
	refused 'sees nothing in the homes of users'
	says 'ProtectHome=read-only'
	rm "$root/etc/mesos-master/credentials"
	ln -s "$root$home/ops/credentials" "$root/etc/mesos-master/credentials"
	launch master
	refused 'sees nothing in the homes of users'
	rm "$root/etc/mesos-master/credentials"
	echo file://$home/ops/acls >"$root/etc/mesos-master/acls"
	launch master
	refused 'sees nothing in the homes of users'
	rm "$root/etc/mesos-master/acls"
	printf 'LIBPROCESS_SSL_ENABLED=true\nLIBPROCESS_SSL_KEY_FILE=%s/key\n' $home >"$root/etc/default/mesos"
	launch master
	refused 'sees nothing in the homes of users'
	rm "$root/etc/default/mesos"
	ln -s "$root$home/ops/zk" "$root/etc/mesos/zk"
	launch master
	refused 'sees nothing in the homes of users'
	rm "$root/etc/mesos/zk"
	echo $home/mesos >"$root/etc/mesos-master/work_dir"
	launch master
	refused 'ProtectHome=no and ReadWritePaths='
	rm "$root/etc/mesos-master/work_dir"
done

# ---- What Mesos would exit for, again and again

begin 'files that flags name'
echo file:///nowhere/acls >"$root/etc/mesos-agent/acls"
launch agent
refused '--acls=file:///nowhere/acls: there is no such file'
echo /nowhere/acls >"$root/etc/mesos-agent/acls"
launch agent
refused "$root/etc/mesos-agent/acls: mesos-agent does not take this for --acls"
says 'No such file'
printf '/etc/one\n/etc/two\n' >"$root/etc/mesos-agent/acls"
launch agent
refused 'the path for --acls has more than one line'
rm "$root/etc/mesos-agent/acls"
echo MESOS_PERF_EVENTS=file:///nowhere/events >"$root/etc/default/mesos"
launch agent
refused '--perf_events=file:///nowhere/events: there is no such file'

begin 'two of a kind'
mkdir -p "$root/etc/modules"
echo 192.0.2.3 >"$root/etc/mesos-agent/ip"
echo /bin/true >"$root/etc/mesos-agent/ip_discovery_command"
launch agent
refused "--ip ($root/etc/mesos-agent/ip) and --ip_discovery_command ($root/etc/mesos-agent/ip_discovery_command) are both given"
rm "$root/etc/mesos-agent/ip"
echo '{}' >"$root/etc/mesos-agent/modules"
echo MESOS_MODULES_DIR=/etc/modules >"$root/etc/default/mesos"
launch agent
refused '--modules ('
says 'MESOS_MODULES_DIR'
rm "$root/etc/mesos-agent/modules"
echo a_detector >"$root/etc/mesos-agent/master_detector"
launch agent
refused '--master_detector ('

begin 'addresses that are none'
for wrong in 192.0.2.1/24 host.example.org 192.0.2.1:5050 fe80::1; do
	echo $wrong >"$root/etc/mesos-agent/ip"
	launch agent
	refused "--ip is an IPv4 address"
	rm "$root/etc/mesos-agent/ip"
	echo "LIBPROCESS_ADVERTISE_IP=$wrong" >"$root/etc/default/mesos"
	launch agent
	refused "LIBPROCESS_ADVERTISE_IP: --advertise_ip is an IPv4 address"
	rm "$root/etc/default/mesos"
done

begin 'values that only the daemon knows to be wrong'
echo soon >"$root/etc/mesos-agent/gc_delay"
launch agent
refused "$root/etc/mesos-agent/gc_delay: mesos-agent does not take this for --gc_delay"
says 'Failed to'
rm "$root/etc/mesos-agent/gc_delay"
echo MESOS_GC_DELAY=soon >"$root/etc/default/mesos"
launch agent
refused 'MESOS_GC_DELAY: mesos-agent does not take this for --gc_delay'
launch agent -- -- --port
refused 'MESOS_GC_DELAY'

# ---- No secret, nor part of one, in a sentence or in the list of processes

begin 'odd secrets, everywhere'
cat >"$root/bin/seen" <<'SEEN'
#!/bin/sh
# In place of the programs that the launcher calls: their arguments, as the list of processes would show them.
printf '%s\n' "$*" >>"${0%/*}/list"
exec "/usr/bin/${0##*/}" "$@"
SEEN
chmod 755 "$root/bin/seen"
# tells_nothing ROLE ARGUMENT…: what it prints, what it says and what it calls.
tells_nothing() {
	: >"$root/bin/list"
	launch --print "$@"
	case "$out$err$(cat "$root/bin/list")" in
	*S[1234]*) not_ok "part of a secret is told ($secret): $(cat "$root/bin/list")" ;;
	*) ok ;;
	esac
}
for program in tr sed grep find readlink touch cat prlimit timeout id; do ln -s seen "$root/bin/$program"; done
# The parts tell which end of one was cut.
# shellcheck disable=SC2016 # nothing may expand
for secret in 'S1@S2' 'S1:S2' 'S1/S2' 'S1@S2/S3@S4' 'S1%40S2' 'S1 S2' "S1'S2" 'S1"S2' 'S1$S2' 'S1\S2' 'S1#S2' 'S1,S2' 'S1*S2' '@S1' 'S1@'; do
	for url in "zk://user:$secret@a:2181/mesos" "zk://user:$secret@a:2181" "zk://user:$secret@/mesos" "user:$secret@a:2181/mesos" "zk://user:$secret" \
		"http://user:$secret@a/x" "file://user:$secret@a"; do
		stage_secret() {
			rm -rf "$root/etc/default/mesos" "$root/etc/mesos/zk" "$root/etc/mesos-master" "$root/etc/mesos-agent"
			mkdir "$root/etc/mesos-master" "$root/etc/mesos-agent"
			echo 1 >"$root/etc/mesos-master/quorum"
		}
		# Every secret in the usual URL; the worst of them in the others.
		case $secret in 'S1@S2' | 'S1@S2/S3@S4') ;; *) case $url in zk://*a:2181/mesos) ;; *) continue ;; esac ;; esac
		stage_secret
		printf '%s\n' "$url" >"$root/etc/mesos/zk"
		tells_nothing agent
		case $secret in *@S[12]) tells_nothing master ;; esac
	done
done
stage_secret
for flag in credential docker_config executor_secret_key; do
	for value in '{"secret": "S1@S2"}' "S1'S2"; do
		secret="$flag $value"
		stage_secret
		printf '%s\n' "$value" >"$root/etc/mesos-agent/$flag"
		tells_nothing agent
		stage_secret
		printf '%s\n' "$value" | sed "s/'/'\\\\''/g; s/.*/MESOS_$(printf %s $flag | tr '[:lower:]' '[:upper:]')='&'/" >"$root/etc/default/mesos"
		tells_nothing agent
		rm "$root/etc/default/mesos"
		tells_nothing agent -- "--$flag=$value"
	done
done

printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
