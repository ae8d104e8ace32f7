//! Places that clients fetch from: a folder, what rsync(1) reaches, an object store that rclone(1) reaches. How files come
//! there and back ([`transport`]), what a place tells of itself ([`told`]), and the lock by which one pushes at a time
//! ([`lock`]). Whether a repository may replace what is there is for the repository to say, which knows what was signed.
//!
//! ```text
//! repository/generation.asc   whose it is, and how far that has come: signed by the repository
//! repository/pushed.json      every file that pushes have put there; nothing else is ever removed
//! repository/locks/ID.json    who is pushing at the moment
//! dists/CODENAME/InRelease    what clients see
//! ```

pub mod error;
pub mod lock;
pub mod told;
pub mod transport;

pub use error::PlaceError;
pub use transport::Remote;
