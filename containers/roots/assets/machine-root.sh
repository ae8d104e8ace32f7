# Makes a virtual machine's root of what node-root.sh made: a kernel boots it, and it is told over a network of its own
# what to do. Read after node-root.sh, in the same shell; the packages are installed.

step "making a virtual machine of it"
# The drivers of QEMU's devices, and no others: a small archive is unpacked sooner.
echo MODULES=list >/etc/initramfs-tools/conf.d/machine
printf '%s\n' virtio_pci virtio_blk ext4 >/etc/initramfs-tools/modules
update-initramfs -u -k all
# Each machine is given its own.
rm -f /etc/ssh/ssh_host_*

# What differs between machines comes as archives on disks of their own: as the machine boots for the first time, they
# are unpacked. The second one has the packages.
cat >/usr/local/sbin/machine-seed <<'SEED'
#!/bin/sh
set -eu
[ ! -e /etc/machine-seeded ] || exit 0
tar -x -C / -f /dev/vdb
tar -x -C /srv -f /dev/vdc
touch /etc/machine-seeded
SEED
chmod 755 /usr/local/sbin/machine-seed
cat >/etc/systemd/system/machine-seed.service <<'UNIT'
[Unit]
Description=What makes this machine another one than the next
DefaultDependencies=no
After=systemd-remount-fs.service
Before=sysinit.target systemd-networkd.service
[Service]
Type=oneshot
ExecStart=/usr/local/sbin/machine-seed
RemainAfterExit=yes
[Install]
WantedBy=sysinit.target
UNIT
# Sessions share a connection, each of which would cost a second of arithmetic on an emulated processor.
cat >/etc/ssh/sshd_config.d/machine.conf <<'SSHD'
HostKey /etc/ssh/ssh_host_ed25519_key
MaxSessions 100
MaxStartups 100
UsePAM no
UseDNS no
PrintMotd no
SSHD
systemctl enable machine-seed.service ssh.service systemd-networkd.service

# The disk is larger than the file system that is written to it.
echo '/dev/vda / ext4 defaults,x-systemd.growfs 0 1' >/etc/fstab
# What happened before a power cut is to be read afterwards.
mkdir -p /var/log/journal

# The way to a node's web interface, which listens in the cluster's network alone.
cat >/etc/systemd/system/machine-web.service <<'UNIT'
[Unit]
Description=The way to this machine's web interface
After=network.target
StartLimitIntervalSec=0
[Service]
EnvironmentFile=/etc/machine-web
ExecStart=/usr/bin/socat TCP-LISTEN:80,bind=10.0.2.15,fork,reuseaddr TCP:${ADDRESS}:${PORT}
DynamicUser=yes
AmbientCapabilities=CAP_NET_BIND_SERVICE
Restart=on-failure
RestartSec=2
[Install]
WantedBy=multi-user.target
UNIT
systemctl enable machine-web.service
