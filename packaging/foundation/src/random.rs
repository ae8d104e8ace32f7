//! Names that nothing else has.

use std::io;

/// Where the kernel gives them out; for messages.
pub const SOURCE: &str = "/proc/sys/kernel/random/uuid";

/// A name of 122 random bits (RFC 9562, 5.4), such as `5f0c2b8e-8d51-4c3f-9c5e-0d6c5b1c7a34`.
///
/// # Errors
/// The kernel's file, [`SOURCE`], cannot be read.
pub fn id() -> io::Result<String> {
    Ok(std::fs::read_to_string(SOURCE)?.trim().to_owned())
}
