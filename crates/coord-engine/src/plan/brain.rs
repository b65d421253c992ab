//! Asking a model for a plan: once, and once more about what was refused. Whatever goes wrong, the
//! rules make a plan in its place.

use std::time::Instant;

use coord_brain::{Ask, Drafts, Facts, feedback, prompt, read, read_value, rules, schema};
use coord_core::command::Refusal;
use coord_core::proposal::{Examiner, Planner, examine};
use coord_worker::argv::Session;
use coord_worker::ask::{Answer, AskProgress, Asker, NoAnswer, Question, is_installed};
use uuid::Uuid;

use super::trees::Trees;
use super::{BrainSettings, PlanProgress, Proposed, by_rules};
use crate::effects::blocking;
use crate::engine::Engine;
use crate::error::with_causes;

/// What it said, and what that is worth.
struct Judged {
    /// What of it passes as things are.
    valid: Drafts,
    /// Everything that it proposed.
    said: Drafts,
    /// Why the rest does not pass; also why nothing could be read.
    refused: Vec<Refusal>,
}

/// A model that is asked.
struct Brain<'a, S> {
    settings: &'a BrainSettings,
    facts: &'a Facts<'a>,
    asker: Asker,
    trees: Option<Trees>,
    began: Instant,
    cost_usd: f64,
    model: Option<String>,
    session: Option<String>,
    show: &'a mut S,
}

impl Engine {
    /// Asks the model; where that fails, the rules say what they can.
    pub(super) async fn think<S: FnMut(PlanProgress)>(
        &self,
        settings: &BrainSettings,
        facts: &Facts<'_>,
        show: &mut S,
    ) -> Proposed {
        if facts.candidates.is_empty() {
            return by_rules(Drafts::default(), Some("there is no open issue".to_owned()));
        }
        let (why, cost_usd, fed_back) = match self.brain(settings, facts, show).await {
            Err(why) => (why, 0.0, Vec::new()),
            Ok(mut brain) => {
                let mut fed_back = Vec::new();
                let drafts = brain.think(&mut fed_back).await;
                let (cost_usd, model) = (brain.cost_usd, brain.model.take());
                brain.end().await;
                match drafts {
                    Ok(drafts) => {
                        return Proposed {
                            planner: Planner::Brain { model },
                            cost_usd,
                            drafts,
                            fed_back,
                        };
                    }
                    Err(why) => (why, cost_usd, fed_back),
                }
            }
        };
        show(PlanProgress::FellBack { why: why.clone() });
        Proposed {
            cost_usd,
            fed_back,
            ..by_rules(rules::plan(facts), Some(why))
        }
    }

    /// What has to be there before it can be asked.
    async fn brain<'a, S: FnMut(PlanProgress)>(
        &self,
        settings: &'a BrainSettings,
        facts: &'a Facts<'a>,
        show: &'a mut S,
    ) -> Result<Brain<'a, S>, String> {
        if !is_installed(&settings.program, &settings.env) {
            let name = settings.program.first().map_or("", String::as_str);
            return Err(format!("`{name}` is not installed here"));
        }
        let home = self.0.home.join("plan");
        let trees = match settings.explore {
            true => {
                let sites = self.sites_of(facts.candidates).await;
                let home = home.join("worktrees");
                let made = blocking(move || Trees::check_out(&home, &sites)).await;
                let made = made.map_err(|later| later.error)?;
                made.map_err(|error| with_causes(&error))?
            }
            false => None,
        };
        Ok(Brain {
            settings,
            facts,
            asker: Asker {
                supervisor: settings.supervisor.clone(),
                home: home.join("questions"),
            },
            trees,
            began: Instant::now(),
            cost_usd: 0.0,
            model: None,
            session: None,
            show,
        })
    }
}

impl<S: FnMut(PlanProgress)> Brain<'_, S> {
    /// What it proposes, or why there is nothing of use.
    async fn think(&mut self, fed_back: &mut Vec<Refusal>) -> Result<Drafts, String> {
        let nonce = fresh_nonce();
        let folders = self.trees.as_ref().map(Trees::folders).unwrap_or_default();
        let ask = Ask {
            nonce: &nonce,
            budget_tokens: self.settings.context_tokens,
            folders: &folders,
        };
        let question = prompt(self.facts, &ask);
        let first = self.ask(question, Session::New(Uuid::new_v4())).await?;
        let first = self.judge(&first);
        if first.refused.is_empty() {
            return Ok(first.said);
        }
        fed_back.clone_from(&first.refused);
        let refused = first.refused.len();
        (self.show)(PlanProgress::FedBack { refused });
        let why = match self.ask_again(&first.refused).await {
            Ok(answer) => {
                let second = self.judge(&answer);
                if !is_empty(&second.valid) || second.refused.is_empty() {
                    return Ok(second.said);
                }
                let why = second.refused.first().map(|it| it.why.as_str());
                format!(
                    "its second answer was of no use either: {}",
                    why.unwrap_or_default()
                )
            }
            Err(why) => why,
        };
        match is_empty(&first.valid) {
            true => Err(why),
            false => Ok(Drafts {
                refused: first.refused,
                ..first.valid
            }),
        }
    }

    async fn ask_again(&mut self, refused: &[Refusal]) -> Result<Answer, String> {
        let session = self.session.clone();
        let session = session.ok_or("it has not said which session it was")?;
        let text = feedback("", refused, &fresh_nonce());
        self.ask(text, Session::Resume(session)).await
    }

    /// One answer, in the schema or not; or why there is none.
    async fn ask(&mut self, prompt: String, session: Session) -> Result<Answer, String> {
        let settings = self.settings;
        let limit = settings.limit.saturating_sub(self.began.elapsed());
        if limit.is_zero() {
            return Err("its time was up".to_owned());
        }
        let left = settings.max_budget_usd.map(|it| it - self.cost_usd);
        if left.is_some_and(|left| left <= 0.0) {
            return Err("its budget was used up".to_owned());
        }
        let question = Question {
            program: settings.program.clone(),
            extra_args: settings.extra_args.clone(),
            setting_sources: settings.setting_sources.join(","),
            model: settings.model.clone(),
            session,
            before_usd: self.cost_usd,
            prompt,
            schema: schema(),
            folder: self.trees.as_ref().map(|it| it.folder().to_owned()),
            max_budget_usd: left,
            limit,
            env: settings.env.clone(),
        };
        let (show, before) = (&mut *self.show, self.cost_usd);
        let mut told = |progress: AskProgress| {
            show(PlanProgress::Brain(AskProgress {
                cost_usd: before + progress.cost_usd,
                ..progress
            }));
        };
        // Its first word may take a while.
        told(AskProgress::default());
        let answer = self.asker.ask(question, told).await;
        let answer = answer.map_err(|error| with_causes(&error))?;
        self.cost_usd += answer.cost_usd;
        self.session = answer.session.clone().or(self.session.take());
        self.model = answer.model.clone().or(self.model.take());
        match &answer.value {
            Err(NoAnswer::Failed { error, .. }) => Err(error.clone()),
            Ok(_) | Err(NoAnswer::NotInSchema { .. }) => Ok(answer),
        }
    }

    fn judge(&self, answer: &Answer) -> Judged {
        let said = match &answer.value {
            Ok(value) => read_value(value),
            Err(NoAnswer::NotInSchema { said }) => read(said),
            Err(NoAnswer::Failed { error, .. }) => read(error),
        };
        let said = match said {
            Ok(drafts) => drafts,
            Err(error) => {
                return Judged {
                    valid: Drafts::default(),
                    said: Drafts::default(),
                    refused: vec![error.refusal()],
                };
            }
        };
        let Facts {
            board,
            policy,
            candidates,
            now,
            ..
        } = self.facts;
        let examiner = Examiner::new(board, policy, candidates, *now);
        let examined = examine(examiner, said.proposals.clone(), said.splits.clone());
        let mut refused = said.refused.clone();
        refused.extend(examined.refused);
        Judged {
            valid: Drafts {
                proposals: examined.proposals,
                splits: examined.splits,
                refused: Vec::new(),
            },
            said,
            refused,
        }
    }

    /// Removes the worktrees without holding up anybody else.
    async fn end(self) {
        let trees = self.trees;
        // Nothing but a shutdown can fail here, and that removes them too.
        let _ = blocking(move || drop(trees)).await;
    }
}

fn is_empty(drafts: &Drafts) -> bool {
    drafts.proposals.is_empty() && drafts.splits.is_empty()
}

fn fresh_nonce() -> String {
    Uuid::new_v4().simple().to_string()
}
