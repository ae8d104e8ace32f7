//! Gives the crate the digest of its own code.

mod code_digest;

fn main() {
    let folder = std::path::PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let lock = folder.join("../../Cargo.lock");
    for watched in ["build.rs", "code_digest.rs", "src", "assets", "../../Cargo.lock"] {
        println!("cargo::rerun-if-changed={watched}");
    }
    println!("cargo::rustc-env=PACKING_CODE={}", code_digest::of(&folder, &lock));
}
