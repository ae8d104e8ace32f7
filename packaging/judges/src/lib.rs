//! Whether clients can use the packages of an apt repository, asked before anybody sees them: by rules of our own ([`rules`]), and by
//! the programs that read packages and indices on clients ([`index`]), where they are installed.

pub mod index;
pub mod relations;
pub mod rules;
