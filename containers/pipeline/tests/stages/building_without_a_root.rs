//! Phases run in a build root, and there is no builder without one.

use engine::Engine;
use pipeline::{Builder, Inputs, Job};

fn builder<'a>(job: Job<'a>, engine: &'a Engine, inputs: &'a Inputs) -> Builder<'a> {
    Builder::new(job, engine, inputs)
}

fn main() {}
