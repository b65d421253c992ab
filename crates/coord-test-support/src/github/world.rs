//! The state of the whole server.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

use super::account::{App, Credential};
use super::fault::Faults;
use super::rate::Rate;
use super::repo::Repo;

/// One request as the server saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// E.g. `POST`.
    pub method: String,
    /// As it was sent, without the query; an Enterprise server's prefix is left out.
    pub path: String,
    /// Method and path template of what it asks for, as in [`OPERATIONS`](super::OPERATIONS);
    /// `None` where that has nothing like it.
    pub operation: Option<(&'static str, &'static str)>,
    /// As it was sent, without the question mark.
    pub query: String,
    /// The status that was answered; 0 when none was.
    pub status: u16,
    /// Whose token it came with.
    pub account: Option<String>,
    /// Whether `If-None-Match` came with it.
    pub conditional: bool,
    /// Whether a fault decided over the answer.
    pub faulty: bool,
}

/// Everything behind the one lock.
#[derive(Debug)]
pub(crate) struct World {
    /// `http://127.0.0.1:<port>`.
    pub(crate) origin: String,
    /// What comes before every path: empty, or an Enterprise server's `/api/v3`.
    pub(crate) prefix: &'static str,
    /// Added to the machine's clock.
    pub(crate) advanced: i64,
    pub(crate) last_id: u64,
    pub(crate) credentials: BTreeMap<String, Credential>,
    pub(crate) apps: BTreeMap<u64, App>,
    /// Accounts that have or had a token.
    pub(crate) people: BTreeSet<String>,
    /// By `owner/name` in lower case: GitHub ignores it.
    pub(crate) repos: BTreeMap<String, Repo>,
    pub(crate) rate: Rate,
    pub(crate) faults: Faults,
    pub(crate) seen: Vec<Seen>,
    pub(crate) violations: Vec<String>,
    /// Whether mergeability is unknown at the first look, as on GitHub.
    pub(crate) lazy_mergeability: bool,
    pub(crate) knows_sub_issues: bool,
}

impl World {
    pub(crate) fn new(origin: String, prefix: &'static str) -> Self {
        let mut world = Self {
            origin,
            prefix,
            advanced: 0,
            last_id: 1000,
            credentials: BTreeMap::new(),
            apps: BTreeMap::new(),
            people: BTreeSet::new(),
            repos: BTreeMap::new(),
            rate: Rate::default(),
            faults: Faults::default(),
            seen: Vec::new(),
            violations: Vec::new(),
            lazy_mergeability: true,
            knows_sub_issues: true,
        };
        world.rate.refill(world.now());
        world
    }

    /// Seconds since the epoch.
    pub(crate) fn now(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.map_or(0, |since| {
            i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
        }) + self.advanced
    }

    /// One counter for everything that has an id.
    pub(crate) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    pub(crate) fn key(owner: &str, name: &str) -> String {
        format!("{owner}/{name}").to_lowercase()
    }

    pub(crate) fn repo(&self, owner: &str, name: &str) -> Option<&Repo> {
        self.repos.get(&Self::key(owner, name))
    }

    /// The base of the API.
    pub(crate) fn api(&self) -> String {
        format!("{}{}", self.origin, self.prefix)
    }
}

/// E.g. `2026-01-01T00:00:00Z`: GitHub counts in seconds.
pub(crate) fn stamp(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(|_| String::new(), |time| time.to_string())
}

/// Seconds since the epoch of a time as GitHub writes it.
pub(crate) fn seconds(stamp: &str) -> Option<i64> {
    stamp.parse::<Timestamp>().ok().map(Timestamp::as_second)
}

/// The same number for the same text, in every process.
pub(crate) fn digest(text: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
