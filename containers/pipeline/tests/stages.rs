//! No stage can be skipped: what would do it does not compile, and says why.

/// Not for the tier that one runs while one writes: the dependencies are compiled once more, which takes minutes.
mod host {
    #[test]
    fn a_stage_that_is_skipped_does_not_compile() {
        let cases = trybuild::TestCases::new();
        cases.compile_fail("tests/stages/*.rs");
    }
}
