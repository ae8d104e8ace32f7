//! Upstream's own test programs (googletest) of the packaged build: what they print, what is known to fail, and
//! what follows from a run. Running them in containers is the part of `phases` and `pipeline`.

pub mod findings;
pub mod gtest;
pub mod junit;
pub mod statement;
pub mod summary;
pub mod verdict;
