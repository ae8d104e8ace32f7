# Writes the root file system of this very container into a disk image, with kernel and initial file system beside it.
# /disk is a volume; SEED is what makes the file system's identifiers the same each time.
set -eu
mkdir /disk/root /disk/machine
# Not plain `/`: cp of coreutils 9.1 (Debian 12) makes a folder without a name of it.
cp -ax /. /disk/root
cd /disk/root
rm -f .dockerenv
rm -rf disk
mkdir -p dev proc sys run tmp srv
chmod 1777 tmp
: >etc/machine-id
: >etc/resolv.conf
: >etc/hostname
mkdir -p var/log/journal
set -- boot/vmlinuz-*
cp "$1" /disk/machine/kernel
cp "boot/initrd.img-${1#boot/vmlinuz-}" /disk/machine/initrd
kilobytes=$(du -s --apparent-size --block-size=1024 . | cut -f1)
inodes=$(find . | wc -l)
# A quarter more for what a file system needs itself: blocks that are not full, inodes, the journal.
mke2fs -q -t ext4 -m 1 -U "$SEED" -E "hash_seed=$SEED,root_owner=0:0" -N $((inodes + 100000)) -d /disk/root \
    /disk/machine/disk $((kilobytes * 5 / 4 + 131072 + inodes * 4))k
