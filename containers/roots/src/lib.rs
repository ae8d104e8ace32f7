//! Root file systems made of locked .debs.

pub mod build_root;
pub mod rootfs;
