//! Faults on demand: which request meets one, and what it is.

use std::collections::HashMap;

use super::exchange::{Answer, refusal};

/// What happens to a request instead of its answer.
///
/// "Before effect": the request changes nothing. "After effect": it was carried out in full, and
/// whoever asked cannot know. Time-outs are open connections on which nothing comes any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Carried out, never answered.
    TimeOutAfterEffect,
    /// Not carried out, never answered.
    TimeOutBeforeEffect,
    /// Not carried out, answered with this status.
    Status(u16),
    /// Carried out, answered with this status.
    StatusAfterEffect(u16),
    /// Not carried out: 403 with `Retry-After` and GitHub's words about the secondary limit.
    SecondaryLimit {
        /// Seconds.
        retry_after_secs: u64,
    },
    /// Not carried out: 403 with `x-ratelimit-remaining: 0`.
    PrimaryLimit {
        /// Seconds since the epoch.
        reset: u64,
    },
    /// Not carried out, the connection is reset.
    ConnectionReset,
    /// Carried out, the connection is reset.
    ConnectionResetAfterEffect,
}

/// Which request a fault is for. Each fault happens once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// The next one.
    Next,
    /// The n-th from now on; the next one is the first.
    Nth(usize),
    /// The next one with this method and this text in its path.
    Request {
        /// E.g. `POST`.
        method: String,
        /// A part of the path, as it is sent; the prefix of an Enterprise server does not count.
        path: String,
    },
}

impl When {
    /// The next request with this method and this text in its path.
    #[must_use]
    pub fn request(method: &str, path: &str) -> Self {
        Self::Request {
            method: method.to_owned(),
            path: path.to_owned(),
        }
    }
}

/// How a request ends for the client.
#[derive(Debug)]
pub(crate) enum Ending {
    Answer(Answer),
    Silence,
    Reset,
}

/// What is still to happen.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    scheduled: Vec<(Fault, When)>,
    every: Vec<Fault>,
    /// How often each call was seen since `every` was set.
    met: HashMap<(String, String), usize>,
}

impl Faults {
    pub(crate) fn schedule(&mut self, fault: Fault, when: When) {
        self.scheduled.push((fault, when));
    }

    pub(crate) fn for_every_call(&mut self, faults: &[Fault]) {
        self.every = faults.to_vec();
        self.met.clear();
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn scheduled(&self) -> usize {
        self.scheduled.len()
    }

    /// The fault of this request. Of several that match, the one that was scheduled first.
    pub(crate) fn take(&mut self, method: &str, path: &str) -> Option<Fault> {
        let found = self.scheduled.iter_mut().position(|(_, when)| match when {
            When::Next | When::Nth(0 | 1) => true,
            When::Nth(_) => false,
            When::Request {
                method: of,
                path: part,
            } => of == method && path.contains(&*part),
        });
        for (_, when) in &mut self.scheduled {
            if let When::Nth(left) = when {
                *left = left.saturating_sub(1).max(1);
            }
        }
        match found {
            Some(index) => Some(self.scheduled.remove(index).0),
            None => self.take_of_every(method, path),
        }
    }

    fn take_of_every(&mut self, method: &str, path: &str) -> Option<Fault> {
        if self.every.is_empty() {
            return None;
        }
        let call = (method.to_owned(), path.to_owned());
        let times = self.met.entry(call).or_default();
        *times += 1;
        self.every.get(*times - 1).copied()
    }
}

impl Fault {
    /// Whether the request is carried out.
    pub(crate) fn has_effect(self) -> bool {
        match self {
            Self::TimeOutAfterEffect
            | Self::StatusAfterEffect(_)
            | Self::ConnectionResetAfterEffect => true,
            Self::TimeOutBeforeEffect
            | Self::Status(_)
            | Self::SecondaryLimit { .. }
            | Self::PrimaryLimit { .. }
            | Self::ConnectionReset => false,
        }
    }

    /// What the client meets.
    pub(crate) fn ending(self) -> Ending {
        match self {
            Self::TimeOutAfterEffect | Self::TimeOutBeforeEffect => Ending::Silence,
            Self::ConnectionReset | Self::ConnectionResetAfterEffect => Ending::Reset,
            Self::Status(status) | Self::StatusAfterEffect(status) => {
                Ending::Answer(failed(status))
            }
            Self::SecondaryLimit { retry_after_secs } => Ending::Answer(
                refusal(
                    403,
                    "You have exceeded a secondary rate limit. Please wait a few minutes before \
                     you try again.",
                )
                .with("retry-after", retry_after_secs.to_string()),
            ),
            Self::PrimaryLimit { reset } => Ending::Answer(
                super::rate::exceeded()
                    .with("x-ratelimit-remaining", "0")
                    .with("x-ratelimit-reset", reset.to_string()),
            ),
        }
    }
}

/// GitHub's gateways answer in HTML, its application in JSON.
fn failed(status: u16) -> Answer {
    match status {
        502..=504 => {
            let page = "<html><body><h1>Unicorn!</h1><p>No server is available.</p></body></html>";
            Answer::text(status, "text/html; charset=utf-8", page.to_owned())
        }
        _ => refusal(status, "Server Error"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_happens_once_at_its_request() {
        let mut faults = Faults::default();
        faults.schedule(Fault::Status(500), When::Nth(3));
        faults.schedule(Fault::Status(502), When::request("POST", "/comments"));
        faults.schedule(Fault::ConnectionReset, When::Next);
        assert_eq!(faults.take("GET", "/a"), Some(Fault::ConnectionReset));
        assert_eq!(faults.take("GET", "/comments"), None);
        assert_eq!(faults.take("GET", "/a"), Some(Fault::Status(500)));
        assert_eq!(faults.take("POST", "/1/comments"), Some(Fault::Status(502)));
        assert_eq!(faults.take("POST", "/1/comments"), None);
        assert_eq!(faults.scheduled(), 0);
    }

    #[test]
    fn every_call_meets_each_fault_once() {
        let mut faults = Faults::default();
        faults.for_every_call(&[Fault::Status(500), Fault::ConnectionReset]);
        assert_eq!(faults.take("GET", "/a"), Some(Fault::Status(500)));
        assert_eq!(faults.take("GET", "/b"), Some(Fault::Status(500)));
        assert_eq!(faults.take("GET", "/a"), Some(Fault::ConnectionReset));
        assert_eq!(faults.take("GET", "/a"), None);
    }
}
