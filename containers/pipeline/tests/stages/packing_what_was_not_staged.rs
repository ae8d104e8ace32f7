//! A folder of files is no staged tree of a plan: only phases that have run leave one.

use deb::staged::StagedTree;
use pipeline::Builder;
use pipeline::packed::Packed;

async fn pack<'a>(tree: &StagedTree, builder: &Builder<'a>) -> Packed<'a> {
    tree.pack(builder).await.unwrap()
}

fn main() {}
