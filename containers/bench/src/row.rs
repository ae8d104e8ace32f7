//! The rows of the table, by their letters.

use std::collections::BTreeSet;
use std::str::FromStr;

use foundation::failure::{Failure, Kind, Outcome};
use recipe::Recipe;
use serde::{Deserialize, Serialize};

/// A row of the table, which has a letter for people and in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Row {
    /// Upstream's own way.
    #[serde(rename = "a")]
    Upstream,
    /// Everything from the source to signed packages, and nothing that an earlier build left.
    #[serde(rename = "b")]
    Cold,
    /// The same again after a clean: the compiler cache has what the first build left there.
    #[serde(rename = "c")]
    Cached,
    /// A source file was edited.
    #[serde(rename = "d")]
    Source,
    /// A unit was edited.
    #[serde(rename = "e")]
    Unit,
    /// Nothing changed.
    #[serde(rename = "f")]
    Nothing,
}

impl Row {
    /// All rows, in the order in which they are measured.
    pub const ALL: [Self; 6] = [Self::Upstream, Self::Cold, Self::Cached, Self::Source, Self::Unit, Self::Nothing];

    /// The row's letter, from a to f.
    pub fn letter(self) -> char {
        match self {
            Self::Upstream => 'a',
            Self::Cold => 'b',
            Self::Cached => 'c',
            Self::Source => 'd',
            Self::Unit => 'e',
            Self::Nothing => 'f',
        }
    }

    /// What the row measures, in few words.
    pub fn what(self) -> &'static str {
        match self {
            Self::Upstream => "upstream's own way",
            Self::Cold => "cold, from source to packages",
            Self::Cached => "after a clean, compiler cache warm",
            Self::Source => "one source file edited",
            Self::Unit => "one unit edited",
            Self::Nothing => "nothing changed",
        }
    }
}

/// The rows that are to be measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows(BTreeSet<Row>);

impl Rows {
    /// Every row that the recipe has.
    pub fn of(recipe: &Recipe) -> Self {
        let upstream = recipe.baseline_phase().is_some();
        Self(Row::ALL.into_iter().filter(|row| upstream || *row != Row::Upstream).collect())
    }

    /// Whether this one is to be measured.
    pub fn contains(&self, row: Row) -> bool {
        self.0.contains(&row)
    }

    /// The rows in the order in which they are measured.
    pub fn iter(&self) -> impl Iterator<Item = Row> {
        self.0.iter().copied()
    }
}

/// Letters that name no rows.
#[derive(Debug, thiserror::Error)]
#[error("'{0}' names no rows: write letters from a to f, such as bcf ({rows})", rows = Row::ALL.map(|row| format!("{} {}", row.letter(), row.what())).join(", "))]
pub struct NoRows(String);

impl Failure for NoRows {
    fn outcome(&self) -> Outcome {
        Kind::Usage.plain()
    }
}

impl FromStr for Rows {
    type Err = NoRows;

    /// The cold build is always among them where anything else of ours is: the others start from what it leaves.
    fn from_str(text: &str) -> Result<Self, NoRows> {
        let row = |letter| Row::ALL.into_iter().find(|row| row.letter() == letter);
        let found: Option<BTreeSet<Row>> = text.chars().map(row).collect();
        let mut rows = found.filter(|rows| !rows.is_empty()).ok_or_else(|| NoRows(text.to_owned()))?;
        if rows.iter().any(|row| *row != Row::Upstream) {
            rows.insert(Row::Cold);
        }
        Ok(Self(rows))
    }
}
