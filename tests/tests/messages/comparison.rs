//! What is said where two folders of packages cannot be compared.

use statements::diff::DiffError;

use crate::{denied, messages, path};

#[test]
fn folders_of_packages() {
    messages!(
        "statements.DiffError",
        DiffError {
            NoFolder: [DiffError::NoFolder { path: path("/srv/dist") }],
            NoPackages: [DiffError::NoPackages { path: path("/srv/dist") }],
            Twice: [DiffError::Twice {
                path: path("/srv/pool"),
                package: "demo amd64".into(),
                one: "demo_1.0_amd64.deb".into(),
                other: "demo_1.1_amd64.deb".into(),
            }],
            File: [
                DiffError::File { path: path("/srv/dist/demo_1.0_amd64.deb"), source: denied() },
                DiffError::File {
                    path: path("/srv/dist/demo_1.0_amd64.deb"),
                    source: std::io::Error::new(std::io::ErrorKind::InvalidData, "it is not an ar archive"),
                },
            ],
        }
    );
}
