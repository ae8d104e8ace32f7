//! in-toto's Statement v1, for any predicate (<https://github.com/in-toto/attestation>: `spec/v1/statement.md`,
//! `spec/v1/resource_descriptor.md`, `spec/v1/digest_set.md`).
//!
//! Statements carry no time, and their lists are sorted by whoever makes them, so that the same facts give the same
//! bytes. Fields that are not known are ignored, as in-toto's parsing rules want it; other types are refused.

use std::fmt;
use std::marker::PhantomData;

use foundation::digest::Digest;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// What a statement says of files; each kind has a format of its own.
pub trait Predicate {
    /// `predicateType`: names the predicate's format.
    const TYPE: &'static str;
}

/// A statement: this is so of these files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound(serialize = "P: Predicate + Serialize", deserialize = "P: Predicate + Deserialize<'de>"))]
pub struct Statement<P> {
    /// The field `_type`: the version of in-toto's format.
    #[serde(rename = "_type")]
    pub kind: StatementType,
    /// The files that the statement is about, sorted.
    pub subject: Vec<Resource>,
    /// The field `predicateType`: an address that names the format of the predicate.
    #[serde(rename = "predicateType")]
    pub predicate_type: TypeOf<P>,
    /// What is said of the files.
    pub predicate: P,
}

impl<P: Predicate> Statement<P> {
    /// Says something about files, which are sorted.
    pub fn about(mut subject: Vec<Resource>, predicate: P) -> Self {
        subject.sort();
        Self { kind: StatementType::V1, subject, predicate_type: TypeOf(PhantomData), predicate }
    }
}

/// `_type` of a [`Statement`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StatementType {
    /// Version 1 of the format.
    #[serde(rename = "https://in-toto.io/Statement/v1")]
    V1,
}

/// `predicateType` of a [`Statement`]: no other than the predicate's own.
pub struct TypeOf<P>(PhantomData<fn() -> P>);

impl<P> Clone for TypeOf<P> {
    fn clone(&self) -> Self {
        Self(PhantomData)
    }
}

impl<P> PartialEq for TypeOf<P> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<P> Eq for TypeOf<P> {}

impl<P> fmt::Debug for TypeOf<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TypeOf")
    }
}

impl<P: Predicate> Serialize for TypeOf<P> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(P::TYPE)
    }
}

impl<'de, P: Predicate> Deserialize<'de> for TypeOf<P> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = String::deserialize(deserializer)?;
        if found == P::TYPE {
            return Ok(Self(PhantomData));
        }
        Err(de::Error::custom(format!("the predicate type {found}, expected {}", P::TYPE)))
    }
}

/// A file or another input, by its digest: in-toto's ResourceDescriptor.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Resource {
    /// The name of the file, or words for what it is.
    pub name: String,
    /// The digests of the file.
    pub digest: DigestSet,
}

/// in-toto's DigestSet; of its algorithms, only this one is read and written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DigestSet {
    /// The SHA-256 digest, as hexadecimal digits.
    pub sha256: Digest,
}

impl From<Digest> for DigestSet {
    fn from(sha256: Digest) -> Self {
        Self { sha256 }
    }
}

impl Resource {
    /// Describes a file, or another input, by its name and its digest.
    pub fn new(name: impl Into<String>, sha256: Digest) -> Self {
        Self { name: name.into(), digest: sha256.into() }
    }
}
