//! Sizes in bytes, written with the binary prefixes of IEC 80000-13: `4GiB`.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Kind, Outcome};

/// A number of bytes. Reads `512`, `300MiB`, `4GiB`; prints with the largest prefix that fits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(title = "size", extend("pattern" = "^[0-9]+([.][0-9]+)? *([KMGT]iB|B)?$"))]
pub struct ByteSize(pub u64);

/// A text that cannot be read as a number of bytes.
#[derive(Debug, thiserror::Error)]
pub enum NotASize {
    /// The text is no number with one of the units.
    #[error("'{0}' is not a size in bytes: write a number and B, KiB, MiB, GiB or TiB, such as 4GiB")]
    Text(String),
    /// It is a size, but larger than 4 EiB (2^62 bytes), which is the most that can be written.
    #[error("'{0}' is more than any machine has: at most {most} can be said", most = ByteSize(MOST))]
    TooLarge(String),
}

/// The largest size: what file systems can count to, and a number that TOML and JSON can hold.
const MOST: u64 = 1 << 62;

impl Failure for NotASize {
    fn outcome(&self) -> Outcome {
        Kind::Usage.plain()
    }
}

const UNITS: [(&str, u64); 5] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

impl FromStr for ByteSize {
    type Err = NotASize;
    fn from_str(text: &str) -> Result<Self, NotASize> {
        let bad = || NotASize::Text(text.to_owned());
        let (number, unit) =
            UNITS.iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, *unit))).unwrap_or((text, 1));
        let number = number.trim();
        // Digits and one point: a float's parser takes `1e9`, `inf` and `+1` as well.
        if number.bytes().any(|byte| !byte.is_ascii_digit() && byte != b'.') {
            return Err(bad());
        }
        let number: f64 = number.parse().map_err(|_| bad())?;
        if unit == 1 && number.fract() != 0.0 {
            return Err(bad());
        }
        let bytes = number * unit as f64;
        if bytes > MOST as f64 { Err(NotASize::TooLarge(text.to_owned())) } else { Ok(Self(bytes as u64)) }
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, unit) = UNITS.iter().find(|(_, unit)| self.0 >= *unit).unwrap_or(&UNITS[4]);
        if self.0.is_multiple_of(*unit) {
            write!(f, "{} {name}", self.0 / unit)
        } else {
            write!(f, "{:.1} {name}", self.0 as f64 / *unit as f64)
        }
    }
}

impl TryFrom<String> for ByteSize {
    type Error = NotASize;
    fn try_from(text: String) -> Result<Self, NotASize> {
        text.parse()
    }
}

impl From<ByteSize> for String {
    fn from(size: ByteSize) -> Self {
        size.to_string().replace(' ', "")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_prints() {
        assert_eq!("4GiB".parse::<ByteSize>().unwrap().0, 4 << 30);
        assert_eq!("1.5GiB".parse::<ByteSize>().unwrap().0, 3 << 29);
        assert_eq!(ByteSize(3 << 29).to_string(), "1.5 GiB");
        assert_eq!(ByteSize(0).to_string(), "0 B");
        for bad in ["", "GiB", "4GB", "-1GiB", "1.5", "nanGiB", "infGiB", "1e3GiB", "+1GiB", "1.2.3GiB", "."] {
            let error = bad.parse::<ByteSize>().unwrap_err().to_string();
            assert!(error.contains("is not a size"), "{bad}: {error}");
        }
    }

    #[test]
    fn what_64_bits_cannot_hold_is_refused_and_not_rounded() {
        assert_eq!("4194304TiB".parse::<ByteSize>().unwrap().0, 1 << 62);
        let digits = "9".repeat(400) + "GiB";
        for large in ["4194305TiB", "18446744073709551616", "99999999999999TiB", &digits] {
            let error = large.parse::<ByteSize>().unwrap_err().to_string();
            assert!(error.ends_with("is more than any machine has: at most 4194304 TiB can be said"), "{error}");
        }
    }
}
