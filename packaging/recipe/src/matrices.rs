//! The lists of targets in the release pipelines of `ci/`.

/// The text of a pipeline with a target in every list that has another one, or none where no list has it. A list is the value of
/// `target:` or `TARGET:` in YAML, or what follows `values` in a Jenkinsfile; it stays sorted.
pub fn with(text: &str, like: &str, new: &str) -> Option<String> {
    let mut found = false;
    let lines: Vec<String> = text
        .lines()
        .map(|line| match list(line) {
            Some((before, items, after)) if items.iter().any(|item| item.trim_matches('\'') == like) => {
                found = true;
                let quoted = items.iter().any(|item| item.starts_with('\''));
                let mut items: Vec<String> = items.iter().map(|item| (*item).to_owned()).collect();
                items.push(if quoted { format!("'{new}'") } else { new.to_owned() });
                items.sort();
                items.dedup();
                format!("{before}{}{after}", items.join(", "))
            }
            _ => line.to_owned(),
        })
        .collect();
    found.then(|| lines.join("\n") + "\n")
}

/// What stands before a list, its items, and what stands behind it.
fn list(line: &str) -> Option<(&str, Vec<&str>, &str)> {
    let word = ["target: [", "TARGET: [", "values '"].into_iter().find(|word| line.contains(word))?;
    // The quote belongs to the first item.
    let start = line.find(word)? + word.trim_end_matches('\'').len();
    let end = if word.ends_with('[') { start + line[start..].find(']')? } else { line.trim_end().len() };
    Some((&line[..start], line[start..end].split(", ").collect(), &line[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_matrix_of_every_pipeline() {
        for (file, lists) in [("github.yml", 3), ("gitlab.yml", 1), ("Jenkinsfile", 2)] {
            let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ci");
            let text = std::fs::read_to_string(folder.join(file)).unwrap();
            let new = with(&text, "debian-13/amd64", "debian-12.5/amd64").unwrap();
            let changed: Vec<&str> =
                new.lines().zip(text.lines()).filter(|(new, old)| new != old).map(|(new, _)| new).collect();
            assert_eq!(changed.len(), lists, "{file}: {changed:?}");
            for line in changed {
                let plain = line.replace('\'', "");
                assert!(plain.contains("debian-12.5/amd64, debian-12/amd64, debian-13/amd64"), "{line}");
            }
            assert_eq!(
                new.len() - text.len(),
                lists * "debian-12.5/amd64, ".len() + if file == "Jenkinsfile" { 2 * lists } else { 0 }
            );
            assert_eq!(with(&text, "debian-99/amd64", "debian-12/amd64"), None);
        }
    }
}
