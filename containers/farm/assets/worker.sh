# worker.sh JOBS: compiles what comes through the socket, so much at once. The container has no network.
#
# Whoever asks for the compiler of another build root asks for a path that is not here.
mkdir -p "$FARM_COMPILERS"
for compiler in cc c++ gcc g++; do
    printf '#!/bin/sh\nunset LD_LIBRARY_PATH\nexec /usr/bin/%s "$@"\n' "$compiler" >"$FARM_COMPILERS/$compiler"
    chmod 755 "$FARM_COMPILERS/$compiler"
    echo "$FARM_COMPILERS/$compiler"
done >/tmp/commands
# distccd(1): these commands and no others; two words of their paths count, not only the last, or the build root would not.
export DISTCC_CMDLIST=/tmp/commands DISTCC_CMDLIST_NUMWORDS=2
# Pipes: distccd wants to know the address behind a socket.
exec /build/farm/socat "UNIX-LISTEN:/build/farm/sockets/worker,fork,unlink-early,max-children=$1,mode=0666" \
    'EXEC:/build/farm/distccd --inetd --enable-tcp-insecure --log-stderr --log-level=notice,pipes'
