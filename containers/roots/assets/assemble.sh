# Makes a build root of the .debs in /debs, in a container into which the base is already unpacked.
# Runs as root, without network. Lines that start with `=== ` tell the step.
set -eu
umask 022
options="--force-unsafe-io"

step() { echo "=== $*"; }

# What base-passwd's own maintainer script would do, but files of other groups are unpacked before it runs.
# Podman has made a passwd already, with a line for this container's user alone.
for file in passwd group; do
    grep -q '^root:' "/etc/$file" 2>/dev/null || cp "/usr/share/base-passwd/$file.master" "/etc/$file"
done
mkdir -p /var/lib/dpkg/info /var/lib/dpkg/updates /var/lib/dpkg/triggers
touch /var/lib/dpkg/status /var/lib/dpkg/available

# No maintainer script may start a service (Debian policy 9.3.3.2).
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d

step "installing the base"
# All of it at once, as debootstrap does: its packages need each other.
dpkg $options --force-depends --install /debs/base/*.deb </dev/null

if [ -d /debs/rest ]; then
    # Building an index of the manual pages takes half a minute; nobody reads them here.
    if command -v debconf-set-selections >/dev/null; then
        echo 'man-db man-db/auto-update boolean false' | debconf-set-selections
    fi
    step "unpacking"
    dpkg $options --force-depends --unpack /debs/rest/*.deb </dev/null
fi
step "configuring"
dpkg $options --configure --pending </dev/null

step "checking the packages"
dpkg --audit >/tmp/audit 2>&1
if [ -s /tmp/audit ]; then
    cat /tmp/audit
    exit 1
fi
# Whatever is not "install ok installed" is missing a dependency or failed quietly.
dpkg-query --show --showformat='${db:Status-Abbrev} ${Package} ${Version}\n' | grep -v '^ii ' >/tmp/audit || :
if [ -s /tmp/audit ]; then
    cat /tmp/audit
    exit 1
fi

step "making the user builder"
groupadd --gid 1000 builder
useradd --uid 1000 --gid 1000 --home-dir /build/home --no-create-home --shell /bin/sh builder
install --directory --owner=1000 --group=1000 --mode=755 /build /ccache
rm -f /usr/sbin/policy-rc.d /tmp/audit
