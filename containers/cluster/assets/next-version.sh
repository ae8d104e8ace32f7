# Makes of every package of the local repository one with a higher version, in a repository beside it: what an upgrade is
# tried with. Each is the same package but for its version, the relations to that version, and a line at the end of each
# conffile: without a change in it dpkg would not even look whether the administrator's is another.
#
# SUFFIX is what the versions get.
set -eu
cd /srv/packages
mkdir next
for deb in *.deb; do
    rm -rf /tmp/package
    dpkg-deb --raw-extract "$deb" /tmp/package
    version=$(dpkg-deb --field "$deb" Version)
    awk -v "version=$version" -v "suffix=$SUFFIX" '
        $1 == "Version:" { print $0 suffix; next }
        {
            done = ""
            while (at = index($0, version ")")) {
                at += length(version)
                done = done substr($0, 1, at - 1) suffix
                $0 = substr($0, at)
            }
            print done $0
        }' /tmp/package/DEBIAN/control >/tmp/control
    cat /tmp/control >/tmp/package/DEBIAN/control
    if [ -e /tmp/package/DEBIAN/conffiles ]; then
        while read -r file; do
            echo "# In version $version$SUFFIX." >>"/tmp/package$file"
        done </tmp/package/DEBIAN/conffiles
    fi
    # Not compressed: it is installed once or twice, and nobody downloads it.
    dpkg-deb -Znone --build /tmp/package "next/${deb%.deb}.next.deb"
done
cd next
apt-ftparchive packages . >Packages.new
mv Packages.new Packages
