//! Identifiers and instants: small newtypes, so that a machine is never passed for a repository.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps `text` as it is.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text of the identifier.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }
    };
}

text_id! {
    /// The name of a repository as the configuration gives it, e.g. `api-gateway`.
    RepoName
}
text_id! {
    /// The name of a machine as the configuration gives it, e.g. `laptop`.
    MachineName
}
text_id! {
    /// A full object id of a commit in hexadecimal.
    CommitId
}
text_id! {
    /// The idempotency key of an effect, e.g. `dispatch:0a1b2c3d4e5f`.
    EffectKey
}

impl CommitId {
    /// The first ten digits, for people.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.get(..10).unwrap_or(&self.0)
    }
}

/// The id of an assignment: 12 lower-case hexadecimal digits, chosen by the coordinator before
/// the agent hears of it, so that it can serve as the idempotency key of the dispatch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AssignmentId(String);

impl AssignmentId {
    /// Number of hexadecimal digits in an id.
    pub const LEN: usize = 12;

    /// Makes an id from 48 random bits; the upper 16 bits of `bits` are ignored.
    #[must_use]
    pub fn from_bits(bits: u64) -> Self {
        Self(format!("{:012x}", bits & 0xffff_ffff_ffff))
    }

    /// The id of an assignment that follows this one by itself: always the same, and as good as
    /// random (the finalizer of SplitMix64).
    #[must_use]
    pub(crate) fn next(&self) -> Self {
        let bits = u64::from_str_radix(&self.0, 16).unwrap_or_default();
        let mut mixed = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self::from_bits(mixed ^ (mixed >> 31))
    }

    /// The text of the identifier.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that is not 12 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an assignment id (12 hexadecimal digits)")]
pub struct InvalidAssignmentId(pub String);

impl FromStr for AssignmentId {
    type Err = InvalidAssignmentId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::try_from(text.to_owned())
    }
}

impl TryFrom<String> for AssignmentId {
    type Error = InvalidAssignmentId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let digits = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() == Self::LEN && text.bytes().all(digits) {
            Ok(Self(text))
        } else {
            Err(InvalidAssignmentId(text))
        }
    }
}

impl From<AssignmentId> for String {
    fn from(id: AssignmentId) -> Self {
        id.0
    }
}

impl fmt::Display for AssignmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

macro_rules! numbered_id {
    ($(#[$doc:meta])* $name:ident, $letter:literal) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub u32);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&format!("{}{}", $letter, self.0))
            }
        }

        impl FromStr for $name {
            type Err = InvalidNumberedId;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let digits = text.strip_prefix([$letter, $letter.to_ascii_lowercase()]);
                let number = digits.and_then(|digits| digits.parse().ok());
                number.map(Self).ok_or_else(|| InvalidNumberedId {
                    text: text.to_owned(),
                    letter: $letter,
                })
            }
        }
    };
}

numbered_id! {
    /// The id of a proposal: a number that no later one has again, shown as `P12`.
    ProposalId, 'P'
}
numbered_id! {
    /// The id of a proposed split: a number that no later one has again, shown as `S3`.
    SplitId, 'S'
}

/// A text that is not the letter of its kind and a number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an id such as {letter}12")]
pub struct InvalidNumberedId {
    /// What was given.
    pub text: String,
    /// `P` for proposals, `S` for splits.
    pub letter: char,
}

/// One issue of one repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct IssueRef {
    /// The repository that the issue belongs to.
    pub repo: RepoName,
    /// The number of the issue in that repository, from 1.
    pub number: u64,
}

impl fmt::Display for IssueRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.repo, self.number)
    }
}

/// An instant: milliseconds since the Unix epoch, UTC.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Wraps milliseconds since the epoch.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Converts seconds since the epoch, as they travel on the wire.
    #[must_use]
    pub fn from_secs_f64(secs: f64) -> Self {
        Self((secs * 1000.0).round() as i64)
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Seconds since the epoch, as they travel on the wire.
    #[must_use]
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// The day (UTC) that the instant falls on, in days since the epoch.
    #[must_use]
    pub const fn day(self) -> i64 {
        self.0.div_euclid(86_400_000)
    }

    /// This instant plus `seconds`, saturating.
    #[must_use]
    pub const fn plus_secs(self, seconds: u64) -> Self {
        let seconds = if seconds > 1 << 40 {
            1 << 40
        } else {
            seconds as i64
        };
        Self(self.0.saturating_add(seconds * 1000))
    }
}
