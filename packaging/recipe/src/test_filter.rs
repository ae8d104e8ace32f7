//! Which tests a filter of googletest selects (`googletest/docs/AdvancedGuide.md`, "Running a Subset of the Tests").

/// Whether `--gtest_filter=FILTER` selects a test: patterns with `*` and `?` separated by `:`, then, after the first
/// `-`, those of tests to leave out. An empty positive part selects every test (googletest itself runs none where the
/// whole filter is empty).
pub fn matches(filter: &str, name: &str) -> bool {
    let (positive, negative) = filter.split_once('-').unwrap_or((filter, ""));
    let any = |patterns: &str| patterns.split(':').any(|pattern| matches_pattern(pattern, name));
    (positive.is_empty() || any(positive)) && !any(negative)
}

/// Whether one pattern matches the whole name. Only the last `*` is ever tried again, so the time is at most the product
/// of both lengths; googletest's own recursion is exponential.
pub fn matches_pattern(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n) = (0, 0);
    // The position after the last `*`, and where in the name what follows it is tried.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                p += 1;
                star = Some((p, n));
            }
            Some(&byte) if byte == b'?' || byte == name[n] => {
                p += 1;
                n += 1;
            }
            _ => {
                let Some((after, tried)) = star else { return false };
                (p, n) = (after, tried + 1);
                star = Some((after, n));
            }
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters() {
        for (filter, name, selected) in [
            ("*", "A.B", true),
            ("", "A.B", true),
            ("A.B", "A.B", true),
            ("A.B", "A.BC", false),
            ("A.*", "A.", true),
            ("A.?", "A.", false),
            ("A.?", "A.B", true),
            ("X.*:A.*", "A.B", true),
            ("X.*:Y.*", "A.B", false),
            ("-A.B", "A.B", false),
            ("-A.B", "A.C", true),
            ("A.*-A.B:A.C", "A.C", false),
            ("A.*-A.B:A.C", "A.D", true),
            ("A.*-", "A.D", true),
            ("*ROOT_*", "X/DockerTest.ROOT_Run/0", true),
            ("*a*b*c*", "xaybzc", true),
            ("*a*b*c", "xaybzcd", false),
            ("**.B**", "A.B", true),
        ] {
            assert_eq!(matches(filter, name), selected, "{filter} {name}");
        }
    }

    #[test]
    fn a_pattern_of_many_stars_ends() {
        let name = "a".repeat(20_000);
        assert!(!matches(&format!("{}b", "*a".repeat(2_000)), &name));
        assert!(matches(&"*a".repeat(2_000), &name));
    }
}
