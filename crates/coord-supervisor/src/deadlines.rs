//! When a worker is ended without being asked. Pure: the time comes in as a value.

use std::time::{Duration, Instant};

use crate::record::Reason;

/// The time-outs of one worker. `None`: no such limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Between SIGTERM and SIGKILL.
    pub grace: Duration,
    /// From the start to the first byte on stdout.
    pub first_output: Option<Duration>,
    /// Between two outputs on stdout, once something came.
    pub stall: Option<Duration>,
    /// From the start to the end.
    pub timeout: Option<Duration>,
    /// From a result, and what merely follows it, to the end.
    pub hung_after_result: Option<Duration>,
}

impl Default for Limits {
    /// Ten seconds of grace and no limit.
    fn default() -> Self {
        Self {
            grace: Duration::from_secs(10),
            first_output: None,
            stall: None,
            timeout: None,
            hung_after_result: None,
        }
    }
}

impl Limits {
    /// Each limit with the name of its field in the launch instructions.
    pub(crate) fn named(&self) -> [(&'static str, Option<Duration>); 5] {
        [
            ("grace_ms", Some(self.grace)),
            ("first_output_ms", self.first_output),
            ("stall_ms", self.stall),
            ("timeout_ms", self.timeout),
            ("hung_after_result_ms", self.hung_after_result),
        ]
    }

    /// Sets the limit with that name; `false` if there is none.
    pub(crate) fn set(&mut self, name: &[u8], value: Duration) -> bool {
        match name {
            b"grace_ms" => self.grace = value,
            b"first_output_ms" => self.first_output = Some(value),
            b"stall_ms" => self.stall = Some(value),
            b"timeout_ms" => self.timeout = Some(value),
            b"hung_after_result_ms" => self.hung_after_result = Some(value),
            _ => return false,
        }
        true
    }
}

/// What the latest output says about the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// A result: the process should end now.
    Result,
    /// The model or a tool is at work.
    Work,
    /// Anything else.
    Other,
}

/// The limits of a running worker, with what they count from.
pub(crate) struct Deadlines {
    limits: Limits,
    started: Instant,
    last_output: Option<Instant>,
    since_result: Option<Instant>,
}

impl Deadlines {
    pub(crate) fn new(limits: Limits, started: Instant) -> Self {
        Self {
            limits,
            started,
            last_output: None,
            since_result: None,
        }
    }

    pub(crate) fn grace(&self) -> Duration {
        self.limits.grace
    }

    /// Something came on stdout.
    pub(crate) fn heard(&mut self, heard: Heard, now: Instant) {
        self.last_output = Some(now);
        self.since_result = match heard {
            Heard::Result => Some(now),
            Heard::Work => None,
            Heard::Other => self.since_result.map(|_| now),
        };
    }

    /// The worker was given something to do: what it said before is no sign of its end, and silence counts from now.
    pub(crate) fn spoken_to(&mut self, now: Instant) {
        self.since_result = None;
        self.last_output = self.last_output.map(|_| now);
    }

    /// The limit that is reached first, and when.
    pub(crate) fn next(&self) -> Option<(Instant, Reason)> {
        let limits = &self.limits;
        let silence = match self.last_output {
            Some(last) => limits.stall.map(|stall| (last + stall, Reason::Stalled)),
            None => limits
                .first_output
                .map(|first| (self.started + first, Reason::NoOutput)),
        };
        let total = limits
            .timeout
            .map(|total| (self.started + total, Reason::Timeout));
        let hung = self
            .since_result
            .zip(limits.hung_after_result)
            .map(|(since, hung)| (since + hung, Reason::Hung));
        [silence, total, hung]
            .into_iter()
            .flatten()
            .min_by_key(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn deadlines() -> (Deadlines, Instant) {
        let start = Instant::now();
        let limits = Limits {
            grace: secs(1),
            first_output: Some(secs(60)),
            stall: Some(secs(100)),
            timeout: Some(secs(1000)),
            hung_after_result: Some(secs(5)),
        };
        (Deadlines::new(limits, start), start)
    }

    #[test]
    fn silence_is_no_output_first_and_a_stall_later() {
        let (mut deadlines, start) = deadlines();
        assert_eq!(deadlines.next(), Some((start + secs(60), Reason::NoOutput)));
        deadlines.heard(Heard::Other, start + secs(10));
        assert_eq!(deadlines.next(), Some((start + secs(110), Reason::Stalled)));
        deadlines.heard(Heard::Work, start + secs(950));
        assert_eq!(
            deadlines.next(),
            Some((start + secs(1000), Reason::Timeout))
        );
    }

    #[test]
    fn after_a_result_only_work_or_input_ends_the_suspicion() {
        let (mut deadlines, start) = deadlines();
        deadlines.heard(Heard::Result, start);
        assert_eq!(deadlines.next(), Some((start + secs(5), Reason::Hung)));
        deadlines.heard(Heard::Other, start + secs(1));
        assert_eq!(deadlines.next(), Some((start + secs(6), Reason::Hung)));
        deadlines.heard(Heard::Work, start + secs(2));
        assert_eq!(deadlines.next(), Some((start + secs(102), Reason::Stalled)));
        deadlines.heard(Heard::Result, start + secs(3));
        deadlines.spoken_to(start + secs(4));
        assert_eq!(deadlines.next(), Some((start + secs(104), Reason::Stalled)));
    }

    #[test]
    fn no_limits_no_deadline() {
        let now = Instant::now();
        assert_eq!(Deadlines::new(Limits::default(), now).next(), None);
    }
}
