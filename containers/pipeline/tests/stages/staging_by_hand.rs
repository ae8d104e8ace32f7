//! A staged tree cannot be put together from its parts.

use deb::staged::StagedTree;
use pipeline::built::BuildRecord;
use pipeline::staged::Staged;

fn staged(tree: StagedTree, record: BuildRecord) -> Staged {
    Staged { tree, record, logs: "logs".into() }
}

fn main() {}
