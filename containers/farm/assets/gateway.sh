# gateway.sh NAME ADDRESS…: for each worker, which listens at ADDRESS (host:port), the socket /build/farm/sockets/NAME. The
# container of a phase has no network; this one hands its connections on, and does nothing else. First it has each worker
# compile something: prints `worker NAME ok|unreachable|refused`, and after the last of them `ready`.
. /build/farm/unpack.sh
umask 000
export DISTCC_DIR=/tmp/distcc DISTCC_SSH=/build/farm/connect DISTCC_FALLBACK=0
mkdir -p "$DISTCC_DIR"
cd /tmp
echo 'int answer;' >ask.i
while [ $# -gt 1 ]; do
    # Of a worker whose machine is gone nothing is heard: probes find that out within half a minute.
    to="TCP:$2,connect-timeout=10,keepalive,keepidle=15,keepintvl=5,keepcnt=3"
    /build/farm/socat "UNIX-LISTEN:/build/farm/sockets/$1,fork,mode=0666" "$to" &
    answer=ok
    if ! /build/farm/socat -u OPEN:/dev/null "$to"; then
        answer=unreachable
    elif ! DISTCC_HOSTS="@$1/1,lzo" /build/farm/distcc "$FARM_COMPILERS/cc" -fpreprocessed -c ask.i -o ask.o; then
        answer=refused
    fi 2>/dev/null
    echo "worker $1 $answer"
    shift 2
done
echo ready
wait
