//! Packages cannot be said to be those of a plan.

use pipeline::Inputs;
use pipeline::packed::{PackRecord, Packed};

fn packed(inputs: &Inputs, record: PackRecord) -> Packed<'_> {
    Packed { inputs, folder: "packages".into(), record }
}

fn main() {}
