//! Debian's version order (policy 5.6.12).

use std::cmp::Ordering;

/// Compares two versions as `dpkg --compare-versions` does.
pub fn compare(a: &str, b: &str) -> Ordering {
    let ((epoch_a, upstream_a, revision_a), (epoch_b, upstream_b, revision_b)) = (split(a), split(b));
    epoch_a
        .cmp(&epoch_b)
        .then_with(|| compare_part(upstream_a, upstream_b))
        .then_with(|| compare_part(revision_a, revision_b))
}

/// Whether `version` satisfies a relation such as `>=` to `bound`.
pub fn satisfies(version: &str, relation: &str, bound: &str) -> bool {
    let order = compare(version, bound);
    match relation {
        "<<" => order.is_lt(),
        "<=" => order.is_le(),
        "=" => order.is_eq(),
        ">=" => order.is_ge(),
        _ => order.is_gt(),
    }
}

fn split(version: &str) -> (u64, &str, &str) {
    let (epoch, rest) = match version.split_once(':') {
        Some((epoch, rest)) => (epoch.parse().unwrap_or(0), rest),
        None => (0, version),
    };
    let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, "0"));
    (epoch, upstream, revision)
}

/// Non-digits and digits in turn; `~` sorts before everything, even the end; letters before the rest.
fn compare_part(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    let weight = |byte: Option<&u8>| match byte {
        Some(b'~') => -1,
        Some(digit) if digit.is_ascii_digit() => 0,
        None => 0,
        Some(letter) if letter.is_ascii_alphabetic() => i32::from(*letter),
        Some(other) => i32::from(*other) + 256,
    };
    let is_text = |part: &[u8]| part.first().is_some_and(|byte| !byte.is_ascii_digit());
    while !a.is_empty() || !b.is_empty() {
        while is_text(a) || is_text(b) {
            let order = weight(a.first()).cmp(&weight(b.first()));
            if order.is_ne() {
                return order;
            }
            a = a.get(1..).unwrap_or_default();
            b = b.get(1..).unwrap_or_default();
        }
        let number = |part: &mut &[u8]| {
            let length = part.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let (digits, rest) = part.split_at(length);
            *part = rest;
            let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
            digits[zeros..].to_vec()
        };
        let (x, y) = (number(&mut a), number(&mut b));
        let order = x.len().cmp(&y.len()).then_with(|| x.cmp(&y));
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

#[cfg(test)]
mod tests {
    use super::*;

    const SORTED: [&str; 18] = [
        "0~~",
        "0~~a",
        "0~",
        "0",
        "0a",
        "0+",
        "1.0~rc1-1",
        "1.0-0.1",
        "1.0-1",
        "1.0-1+b1",
        "1.0-1+deb12u1",
        "1.0-1.1",
        "1.0-10",
        "1.0a-1",
        "1.0.1-1",
        "1.9-1",
        "1.10-1",
        "1:0.1",
    ];

    #[test]
    fn the_order_is_dpkgs() {
        for (i, a) in SORTED.iter().enumerate() {
            for (j, b) in SORTED.iter().enumerate() {
                assert_eq!(compare(a, b), i.cmp(&j), "{a} {b}");
            }
        }
        assert_eq!(compare("1.0", "1.0-0"), Ordering::Equal);
        assert_eq!(compare("1.007", "1.7"), Ordering::Equal);
        assert!(satisfies("2.36-9", ">=", "2.36") && !satisfies("2.36-9", "=", "2.36") && satisfies("1", "<<", "2"));
    }

    /// Dpkg itself is the judge, where it is installed.
    #[test]
    fn dpkg_agrees() {
        if std::process::Command::new("dpkg").arg("--version").output().is_err() {
            eprintln!("skipped: there is no dpkg here");
            return;
        }
        for pair in SORTED.windows(2) {
            let status =
                std::process::Command::new("dpkg").args(["--compare-versions", pair[0], "lt", pair[1]]).status();
            assert!(status.unwrap().success(), "{pair:?}");
        }
    }
}
