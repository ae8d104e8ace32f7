# Makes a node root of what assemble.sh made: a small machine on which nothing runs that nobody has enabled there.
# Read after assemble.sh, in the same shell; the packages are installed.

step "making a node of it"
# What a build needs.
userdel builder
rm -rf /build /ccache

# The services and timers of packages run where they are enabled by name. Left to themselves they would all run on every
# node: ZooKeeper on the masters, apt's daily jobs, which hold its lock just when a test installs something.
mkdir -p /etc/systemd/system-preset
echo 'disable *' >/etc/systemd/system-preset/00-node.preset
systemctl preset-all --preset-mode=disable-only
# Only what is installed now: what a package does when it is installed on a node is Debian's default, and tested.
rm /etc/systemd/system-preset/00-node.preset
for script in /etc/init.d/*; do
    update-rc.d "$(basename "$script")" disable || :
done
