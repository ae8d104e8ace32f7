//! Sizes in bytes, written with the binary prefixes of IEC 80000-13: `4GiB`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Kind, Outcome};

/// A number of bytes. Reads `512`, `300MiB`, `4GiB`; prints with the largest prefix that fits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ByteSize(pub u64);

/// The text is not a size.
#[derive(Debug, thiserror::Error)]
#[error("'{0}' is not a size in bytes: write a number and B, KiB, MiB, GiB or TiB, such as 4GiB")]
pub struct NotASize(String);

impl Failure for NotASize {
    fn outcome(&self) -> Outcome {
        Kind::Usage.plain()
    }
}

const UNITS: [(&str, u64); 5] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

impl FromStr for ByteSize {
    type Err = NotASize;
    fn from_str(text: &str) -> Result<Self, NotASize> {
        let bad = || NotASize(text.to_owned());
        let (number, unit) =
            UNITS.iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, *unit))).unwrap_or((text, 1));
        let number: f64 = number.trim().parse().map_err(|_| bad())?;
        if !number.is_finite() || number < 0.0 || (unit == 1 && number.fract() != 0.0) {
            return Err(bad());
        }
        Ok(Self((number * unit as f64) as u64))
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
        for bad in ["", "GiB", "4GB", "-1GiB", "1.5", "nanGiB"] {
            assert!(bad.parse::<ByteSize>().is_err(), "{bad}");
        }
    }
}
