//! Closing a session, and what a round or session came to: read from the log.

use std::collections::{BTreeMap, BTreeSet};

use coord_core::ids::{AssignmentId, RepoName, Timestamp};
use coord_core::session::{EndedStep, Occasion, Period, Since, Summary};
use coord_core::{BoardEvent, Command, Recorded};
use coord_store::HistoryFilter;

use crate::engine::Engine;
use crate::error::EngineError;

impl Engine {
    /// The command that closes the session, for the checkouts that this machine has.
    #[must_use]
    pub fn close_session(&self, force: bool) -> Command {
        let here = self.0.repos.iter().filter(|(_, repo)| repo.path.is_some());
        let checkouts: Vec<RepoName> = here.map(|(name, _)| name.clone()).collect();
        Command::CloseSession { force, checkouts }
    }

    /// The session that was closed last; it is called by the place in the log where it ended.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn last_session(&self) -> Result<Option<u64>, EngineError> {
        let filter = HistoryFilter {
            kinds: vec!["session_closed".to_owned()],
            limit: Some(1),
            ..HistoryFilter::default()
        };
        let last = self.store().history(filter).await?.pop();
        Ok(last.map(|recorded| recorded.seq))
    }

    /// What the round or session came to that ended at `seq`; `None` when none did.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn summary(&self, seq: u64) -> Result<Option<Summary>, EngineError> {
        let filter = HistoryFilter {
            after_seq: Some(seq.saturating_sub(1)),
            limit: Some(1),
            ..HistoryFilter::default()
        };
        let ended = self.store().history(filter).await?.pop();
        let Some(Recorded { seq, at, event }) = ended.filter(|it| it.seq == seq) else {
            return Ok(None);
        };
        let (occasion, period) = match event {
            BoardEvent::RoundCompleted { period } => (Occasion::RoundComplete, period),
            BoardEvent::SessionClosed { period } => (Occasion::SessionEnd, period),
            _ => return Ok(None),
        };
        let until = Since { seq, at };
        let mut summary = self.summarize(occasion, &period, until).await?;
        summary.steps = self.ended_steps(seq).await?;
        Ok(Some(summary))
    }

    /// What a round or session comes to that ends at `until`, without its steps.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn summarize(
        &self,
        occasion: Occasion,
        period: &Period,
        until: Since,
    ) -> Result<Summary, EngineError> {
        let filter = HistoryFilter {
            kinds: Summary::KINDS.map(str::to_owned).to_vec(),
            after_seq: Some(period.since.seq.saturating_sub(1)),
            until: Some(Timestamp::from_millis(until.at.as_millis() + 1)),
            ..HistoryFilter::default()
        };
        let events = self.store().history(filter).await?;
        let ids: BTreeSet<&AssignmentId> = events
            .iter()
            .filter_map(|recorded| recorded.event.assignment())
            .collect();
        let mut known = BTreeMap::new();
        for id in ids {
            if let Some(assignment) = self.store().assignment(id).await? {
                known.insert(id.clone(), assignment);
            }
        }
        Ok(Summary::of(occasion, period, until, &events, &known))
    }

    async fn ended_steps(&self, of: u64) -> Result<Vec<EndedStep>, EngineError> {
        let filter = HistoryFilter {
            kinds: vec!["step_ended".to_owned()],
            after_seq: Some(of),
            ..HistoryFilter::default()
        };
        let ended = |recorded: Recorded| match recorded.event {
            BoardEvent::StepEnded {
                seq, what, result, ..
            } if seq == of => Some(EndedStep { step: what, result }),
            _ => None,
        };
        let events = self.store().history(filter).await?;
        Ok(events.into_iter().filter_map(ended).collect())
    }
}
