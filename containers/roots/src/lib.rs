//! Root file systems made of locked .debs, as images of the engine and as disks of virtual machines.

pub mod build_root;
pub mod disk;
pub mod rootfs;
