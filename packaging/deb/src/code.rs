//! The digest of the packing code.

use foundation::digest::Digest;

/// The digest of all that this crate is compiled from: the tokens of its sources without comments and tests, its
/// assets, and the versions of the crates that it stands on. `build.rs` computes it, by `code_digest.rs`.
pub fn digest() -> Digest {
    env!("PACKING_CODE").parse().expect("the build script writes a digest")
}
