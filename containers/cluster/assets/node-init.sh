# The first process of a node: opens the node's control groups to systemd, which then takes its place.
#
# A node has a control group namespace of its own: what systemd and the daemons make in it ends with the node, and two
# nodes never see each other's. Engines mount the control groups read-only; whoever may mount can change that. This is
# the one place that knows what is mounted: version 2 in /sys/fs/cgroup, of version 1 each controller in a folder.
set -eu
while read -r _ folder kind _; do
    case $kind in
    cgroup | cgroup2) mount -o remount,bind,rw "$folder" ;;
    esac
done </proc/self/mounts
# Empty, so that systemd makes an id; without the file it would take this for a first boot, and enable every unit.
: >/etc/machine-id
exec /lib/systemd/systemd
