//! Whether clients can use the packages of an apt repository, asked before anybody sees them: by rules of our own ([`rules`]), and by
//! the programs that read packages and indices on clients ([`index`]), where they are installed.

pub mod index;
pub mod relations;
pub mod rules;

/// A package, as an index has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject<'a> {
    /// Its path below the repository: `Filename`.
    pub path: &'a str,
    /// The component of the repository that it is in, such as `main`.
    pub component: &'a str,
    /// The fields of its control file, as text (deb-control(5)).
    pub control: &'a str,
    /// The paths of what is in it and no folder, without a leading `/`.
    pub files: &'a [String],
    /// Its paragraph in the index, with the empty line that ends it.
    pub paragraph: String,
}
