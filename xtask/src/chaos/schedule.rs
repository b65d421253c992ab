//! What is killed when: drawn from a seed, so that a run can be repeated.
//!
//! The moments are drawn, not what the processes happen to do in them: a repeated run has the same
//! schedule and, as processes go, nearly the same course.

use std::fmt;
use std::time::Duration;

/// The kills of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Schedule {
    /// What it was drawn from.
    pub(crate) seed: u64,
    /// How the processes are laid out.
    pub(crate) layout: Layout,
    /// In order of time.
    pub(crate) kills: Vec<Kill>,
}

/// How agent and coordinator are spread over processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// `coord agent` by itself; the commands of a person drive the rest.
    Apart,
    /// `coord up`: agent and coordinator in one process.
    Together,
}

/// One `kill -9`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kill {
    /// Since the start of the run.
    pub(crate) at: Duration,
    /// Who is killed.
    pub(crate) target: Target,
    /// How long it stays dead; a person repeats a killed command after as long.
    pub(crate) down: Duration,
}

/// Who can be killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// The command that a person is running at that moment, if any.
    Command,
    /// The server: `coord agent` or `coord up`.
    Server,
}

/// How long the demo takes when it is disturbed a little: kills fall into this time.
const SPAN_MS: u64 = 1_500;

impl Schedule {
    /// One to four kills.
    pub(crate) fn draw(seed: u64) -> Self {
        let mut random = SplitMix(seed);
        let layout = match random.below(2) {
            0 => Layout::Apart,
            _ => Layout::Together,
        };
        let count = 1 + random.below(4);
        let mut kills: Vec<Kill> = (0..count).map(|_| Kill::draw(&mut random)).collect();
        kills.sort_by_key(|kill| kill.at);
        Self {
            seed,
            layout,
            kills,
        }
    }
}

impl Kill {
    fn draw(random: &mut SplitMix) -> Self {
        Self {
            at: Duration::from_millis(random.below(SPAN_MS)),
            target: match random.below(2) {
                0 => Target::Command,
                _ => Target::Server,
            },
            down: Duration::from_millis(random.below(400)),
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let server = match self.layout {
            Layout::Apart => "agent",
            Layout::Together => "up",
        };
        write!(f, "seed {}: {server};", self.seed)?;
        for kill in &self.kills {
            let target = match kill.target {
                Target::Command => "command",
                Target::Server => server,
            };
            write!(f, " {target} at {} ms,", kill.at.as_millis())?;
        }
        Ok(())
    }
}

/// The generator of Steele, Lea and Flood (2014): small, and the same everywhere.
pub(crate) struct SplitMix(pub(crate) u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is small enough for the bias not to matter.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_schedule_again() {
        assert_eq!(Schedule::draw(7), Schedule::draw(7));
        assert_ne!(Schedule::draw(7).kills, Schedule::draw(8).kills);
    }

    #[test]
    fn both_layouts_and_both_targets_are_drawn() {
        let drawn: Vec<Schedule> = (0..50).map(Schedule::draw).collect();
        let apart = drawn.iter().filter(|s| s.layout == Layout::Apart).count();
        assert!((10..40).contains(&apart), "{apart}");
        let kills: Vec<&Kill> = drawn.iter().flat_map(|s| &s.kills).collect();
        let commands = kills.iter().filter(|k| k.target == Target::Command).count();
        assert!(commands > 10 && commands < kills.len() - 10);
    }

    #[test]
    fn kills_come_in_order() {
        let schedule = Schedule::draw(3);
        assert!(schedule.kills.is_sorted_by_key(|kill| kill.at));
    }
}
