# relay.sh SOCAT-OPTION…: what arrives at port 3632 goes to the socket of the container that compiles, which has no network.
. /build/farm/unpack.sh
echo ready
exec /build/farm/socat "TCP-LISTEN:3632,fork,reuseaddr,keepalive$1" UNIX-CONNECT:/build/farm/sockets/worker
