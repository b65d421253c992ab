//! Planning: what is known is put together, a planner proposes, and what is valid of that is kept.
//!
//! The planner is a model or a set of rules; the rules also stand in for a model that fails. Neither
//! is trusted: what they propose passes the same rules as everything else when it is recorded.

mod brain;
mod circles;
mod files;
mod known;
mod survey;
mod trees;

use std::collections::BTreeMap;
use std::time::Duration;

use coord_brain::{Drafts, rules};
use coord_core::command::{PlanRequest, Refusal};
use coord_core::ids::RepoName;
use coord_core::proposal::{Plan, Planner, Proposal, Split};
use coord_core::{BoardEvent, Command};
use coord_worker::ask::AskProgress;
use coord_worker::launch::Supervisor;

use crate::engine::Engine;
use crate::error::{EngineError, with_causes};
use circles::circles;

/// What is to be planned, and by whom.
#[derive(Debug, Clone)]
pub struct PlanInput {
    /// Who plans.
    pub with: PlanWith,
    /// Only issues of these repositories; empty: of all.
    pub repos: Vec<RepoName>,
    /// Whether every forge on the network is asked first; otherwise only those that never were.
    pub sync: bool,
    /// Whether nothing is kept.
    pub dry_run: bool,
}

/// Who plans.
#[derive(Debug, Clone)]
pub enum PlanWith {
    /// Rules: no model is asked.
    Rules,
    /// A model, and the rules where that fails.
    Brain(Box<BrainSettings>),
}

/// How a model is asked.
#[derive(Debug, Clone)]
pub struct BrainSettings {
    /// Who holds its processes.
    pub supervisor: Supervisor,
    /// The program and its leading arguments, e.g. `["claude"]`.
    pub program: Vec<String>,
    /// Further arguments.
    pub extra_args: Vec<String>,
    /// Which settings files it reads.
    pub setting_sources: Vec<String>,
    /// The environment of this process; what no worker may have is left out.
    pub env: BTreeMap<String, String>,
    /// The model; `None` leaves it to the program.
    pub model: Option<String>,
    /// Whether it may read the files of the repositories, in throwaway worktrees.
    pub explore: bool,
    /// US dollars for one plan.
    pub max_budget_usd: Option<f64>,
    /// How long one plan may take.
    pub limit: Duration,
    /// How many tokens the question may have, about.
    pub context_tokens: usize,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanOutcome {
    /// Who made the plan, and why not the model that was wanted.
    pub planner: Planner,
    /// US dollars, also where the model failed.
    pub cost_usd: f64,
    /// What is proposed; ids of a dry run are those that it would have got.
    pub proposals: Vec<Proposal>,
    /// As for proposals.
    pub splits: Vec<Split>,
    /// What was refused of the model's first answer, and fed back to it.
    pub fed_back: Vec<Refusal>,
    /// What was refused in the last round.
    pub refused: Vec<Refusal>,
    /// The repositories whose forge could not be asked, and why: what was known of them counts.
    pub unread: Vec<(RepoName, String)>,
}

/// Something that a person may want to see while it is planned.
#[derive(Debug, Clone, PartialEq)]
pub enum PlanProgress {
    /// The forge of a repository is asked for its issues.
    Syncing(RepoName),
    /// Issues, files and history are put together.
    Gathering,
    /// The model is at work.
    Brain(AskProgress),
    /// So much of its first answer was refused; it is told why.
    FedBack {
        /// How much.
        refused: usize,
    },
    /// The rules stand in for it.
    FellBack {
        /// Why; may hold untrusted text.
        why: String,
    },
}

/// What a planner has said.
struct Proposed {
    planner: Planner,
    cost_usd: f64,
    drafts: Drafts,
    fed_back: Vec<Refusal>,
}

impl Engine {
    /// Makes a plan and keeps what is valid of it, in the place of what was proposed before. Dropped
    /// before that, it ends what it has started, and nothing is kept.
    ///
    /// # Errors
    /// When a repository is not in the configuration, or the store fails. A model that fails and a
    /// forge that does not answer are part of the outcome.
    pub async fn plan(
        &self,
        input: PlanInput,
        mut show: impl FnMut(PlanProgress),
    ) -> Result<PlanOutcome, EngineError> {
        for repo in &input.repos {
            self.repo(repo)?;
        }
        let unread = self.sync_first(&input, &mut show).await?;
        show(PlanProgress::Gathering);
        let known = self
            .known(&input.repos, matches!(input.with, PlanWith::Brain(_)))
            .await?;
        let circles = circles(&known.candidates);
        let facts = self.facts(&known).await;
        let proposed = match &input.with {
            PlanWith::Rules => by_rules(rules::plan(&facts), None),
            PlanWith::Brain(settings) => self.think(settings, &facts, &mut show).await,
        };
        drop(facts);
        let request = PlanRequest {
            planner: proposed.planner,
            cost_usd: proposed.cost_usd,
            candidates: known.candidates,
            proposals: proposed.drafts.proposals,
            splits: proposed.drafts.splits,
            refused: circles.into_iter().chain(proposed.drafts.refused).collect(),
        };
        let plan = self.keep_plan(request, input.dry_run).await?;
        Ok(PlanOutcome {
            planner: plan.planner,
            cost_usd: plan.cost_usd,
            proposals: plan.proposals,
            splits: plan.splits,
            fed_back: proposed.fed_back,
            refused: plan.refused,
            unread,
        })
    }

    async fn keep_plan(&self, request: PlanRequest, dry_run: bool) -> Result<Plan, EngineError> {
        let nothing = Plan {
            planner: request.planner.clone(),
            cost_usd: request.cost_usd,
            proposals: Vec::new(),
            splits: Vec::new(),
            refused: Vec::new(),
        };
        let command = Command::Plan(Box::new(request));
        let events: Vec<BoardEvent> = match dry_run {
            true => self.decide(&command).await?.events,
            false => {
                let committed = self.command(command).await?;
                committed.recorded.into_iter().map(|it| it.event).collect()
            }
        };
        let mut plan = nothing;
        for event in events {
            if let BoardEvent::Planned { plan: made } = event {
                plan = *made;
            }
        }
        Ok(plan)
    }

    /// Brings the mirrors up to date that need it, and answers which could not be.
    async fn sync_first(
        &self,
        input: &PlanInput,
        show: &mut impl FnMut(PlanProgress),
    ) -> Result<Vec<(RepoName, String)>, EngineError> {
        let mut unread = Vec::new();
        for repo in self.policy().repos.keys() {
            let Some(mirror) = self.mirror(repo) else {
                continue;
            };
            let wanted = input.repos.is_empty() || input.repos.contains(repo);
            if !(wanted && input.sync) && mirror.synced_at().await?.is_some() {
                continue;
            }
            show(PlanProgress::Syncing(repo.clone()));
            match self.sync(repo).await {
                Ok(_) => {}
                Err(error @ EngineError::Store(_)) => return Err(error),
                Err(error) => unread.push((repo.clone(), with_causes(&error))),
            }
        }
        Ok(unread)
    }
}

fn by_rules(drafts: Drafts, instead: Option<String>) -> Proposed {
    Proposed {
        planner: Planner::Rules { instead },
        cost_usd: 0.0,
        drafts,
        fed_back: Vec::new(),
    }
}
