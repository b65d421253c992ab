//! Handing work to agents, and having them stop it.

use std::borrow::Cow;

use coord_core::Board;
use coord_core::assignment::AssignmentState;
use coord_core::command::{AgentReport, Command};
use coord_core::effect::{DispatchSpec, Outcome};
use coord_core::failure::FailureClass;
use coord_core::ids::{AssignmentId, MachineName};
use coord_core::lease::LeaseMode;
use coord_protocol::{AgentClient, AssignBody, ClientError, Feature, StatusQuery};

use crate::clock;
use crate::effects::Later;
use crate::engine::Engine;
use crate::error::with_causes;
use crate::serving::Request;

impl Engine {
    pub(crate) async fn dispatch(
        &self,
        spec: &DispatchSpec,
        again: bool,
    ) -> Result<Outcome, Later> {
        // First, because it takes time: a stop meanwhile is still heard.
        let body = match self.body(spec).await? {
            Ok(body) => body,
            Err(outcome) => return Ok(outcome),
        };
        let board = self.store().board().await.map_err(Later::new)?;
        if is_given_up(&board, &spec.id) {
            return Ok(given_up());
        }
        let Some(client) = self.agents().get(&spec.machine) else {
            return Ok(no_machine(&spec.machine));
        };
        let before = again.then_some(&*board);
        match self.hand_over(client, spec, &body, before).await {
            Ok(Some(refusal)) => Ok(refusal),
            Ok(None) => {
                self.answers(&spec.machine).await.map_err(Later::new)?;
                Ok(Outcome::Dispatched)
            }
            Err(error) => self.agent_failed(&spec.machine, error).await,
        }
    }

    /// `None` once the agent has it; `before` is the board where it may have it from an earlier try.
    async fn hand_over(
        &self,
        client: &AgentClient,
        spec: &DispatchSpec,
        body: &AssignBody,
        before: Option<&Board>,
    ) -> Result<Option<Outcome>, ClientError> {
        let mut body = Cow::Borrowed(body);
        let needs = needed(spec);
        if !needs.is_empty() || body.leases.is_some() {
            let health = client.health().await?;
            if let Some(feature) = needs.into_iter().find(|feature| !health.can(*feature)) {
                return Ok(Some(too_old(&spec.machine, feature)));
            }
            if !health.can(Feature::Leases) {
                let body = body.to_mut();
                (body.leases, body.leased) = (None, Vec::new());
            }
        }
        if let Some(board) = before
            && self.was_taken(client, board, spec).await?
        {
            return Ok(None);
        }
        client.assign(&body).await.map(|_| None)
    }

    /// Whether the agent has the assignment from an earlier try. What a reader is given may have
    /// become another text since then, and the agent would refuse that.
    async fn was_taken(
        &self,
        client: &AgentClient,
        board: &Board,
        spec: &DispatchSpec,
    ) -> Result<bool, ClientError> {
        if spec.serving.is_none() {
            return self.has_it_already(client, board, &spec.id).await;
        }
        let status = client.status(StatusQuery::default()).await?;
        let active = status.active.iter().map(|row| &row.assignment.id);
        let ended = status.completed.iter().map(|row| &row.assignment.id);
        Ok(active.chain(ended).any(|id| *id == spec.id))
    }

    async fn body(&self, spec: &DispatchSpec) -> Result<Request, Later> {
        let plain = self.plain_body(spec);
        if let Some(serving) = &spec.serving {
            return self.serving_body(spec, serving, plain).await;
        }
        let (circumstances, rules) = tokio::join!(self.circumstances(spec), self.rules(spec));
        let context = [circumstances.context, rules].into_iter().flatten();
        let context = context.collect::<Vec<_>>().join("\n\n");
        Ok(Ok(Box::new(AssignBody {
            pull_repos: circumstances.pull_repos,
            context: (!context.is_empty()).then_some(context),
            ..plain
        })))
    }

    /// A session that goes on has them already.
    async fn rules(&self, spec: &DispatchSpec) -> Option<String> {
        match &spec.start.session {
            Some(_) => None,
            None => {
                let base = spec.start.base.as_ref();
                self.project_rules(&spec.issue.repo, base).await
            }
        }
    }

    fn plain_body(&self, spec: &DispatchSpec) -> AssignBody {
        let at = (spec.machine.clone(), spec.issue.repo.clone());
        let path = self.0.repo_paths.get(&at);
        AssignBody {
            repo_name: spec.issue.repo.to_string(),
            repo_path: path.cloned().unwrap_or_default(),
            issue_number: spec.issue.number,
            issue_title: spec.title.clone(),
            briefing: spec.briefing.clone(),
            issue_body: spec.issue_body.clone(),
            files_allowed: spec.scope.allowed.clone(),
            files_forbidden: spec.scope.forbidden.clone(),
            do_not_touch: spec.do_not_touch.clone(),
            model: spec.model.clone(),
            id: Some(spec.id.clone()),
            work_branch: Some(spec.branch.clone()),
            start_branch: spec.start.branch.clone(),
            base_sha: spec.start.base.as_ref().map(ToString::to_string),
            resume_session: spec.start.session.clone(),
            // Costs a pipe; the agent closes it after the result.
            steerable: true,
            max_budget_usd: spec.max_budget_usd,
            leases: (spec.leases != LeaseMode::Off).then(|| spec.leases.into()),
            leased: spec.leased.iter().cloned().collect(),
            ..AssignBody::default()
        }
    }

    pub(crate) async fn cancel(
        &self,
        machine: &MachineName,
        id: &AssignmentId,
    ) -> Result<Outcome, Later> {
        let Some(client) = self.agents().get(machine) else {
            return Ok(no_machine(machine));
        };
        let board = self.store().board().await.map_err(Later::new)?;
        match self.cancel_there(client, &board, id).await {
            Ok(()) => self.answers(machine).await.map_err(Later::new)?,
            Err(ClientError::Refused { status: 404, .. }) => self.never_heard(&board, id).await?,
            Err(error) => return self.agent_failed(machine, error).await,
        }
        Ok(Outcome::CancelDelivered)
    }

    /// The agent has nothing to stop. `before` is the board from before it was asked: what it had
    /// accepted by then is lost, and what it has accepted since then is to be stopped again.
    async fn never_heard(&self, before: &Board, id: &AssignmentId) -> Result<(), Later> {
        let now = self.store().board().await.map_err(Later::new)?;
        let running = |board: &Board| {
            let it = board.assignments.get(id);
            it.filter(|it| it.state == AssignmentState::Running)
                .cloned()
        };
        match (running(before), running(&now)) {
            (Some(it), _) => {
                let report = self.report(&it.machine, id.clone(), AgentReport::Unknown);
                report.await.map(drop).map_err(Later::new)
            }
            (None, Some(_)) => Err(Later::new("its dispatch was still on the way")),
            (None, None) => Ok(()),
        }
    }

    /// Sorts an agent's failure: what may pass is tried again, what it refuses is final.
    pub(crate) async fn agent_failed(
        &self,
        machine: &MachineName,
        error: ClientError,
    ) -> Result<Outcome, Later> {
        if matches!(
            error,
            ClientError::Unreachable { .. } | ClientError::TimedOut { .. }
        ) {
            let silent = Command::AgentUnreachable {
                machine: machine.clone(),
                error: error.to_string(),
            };
            self.command(silent).await.map_err(Later::new)?;
        } else {
            self.answers(machine).await.map_err(Later::new)?;
        }
        match error.class() {
            FailureClass::Environmental { retry_at } => {
                let asked = error
                    .retry_after()
                    .map(|after| clock::now().plus_secs(after.as_secs()));
                Err(Later {
                    error: with_causes(&error),
                    at: asked.or(retry_at),
                })
            }
            class @ (FailureClass::Configuration | FailureClass::Work) => Ok(Outcome::Failed {
                class,
                error: with_causes(&error),
            }),
        }
    }
}

/// Whether nobody wants the assignment to start any more.
pub(crate) fn is_given_up(board: &Board, id: &AssignmentId) -> bool {
    let it = board.assignments.get(id);
    it.is_none_or(|it| it.stop_requested)
}

/// What comes of an effect of such an assignment.
pub(crate) fn given_up() -> Outcome {
    Outcome::Failed {
        class: FailureClass::Configuration,
        error: "it was stopped before it was dispatched".to_owned(),
    }
}

/// What the agent has to be able to do beyond 0.1.0, whose agents would begin anew, on a branch of
/// the same name, and let a worker change whatever it likes.
fn needed(spec: &DispatchSpec) -> Vec<Feature> {
    if spec.serving.is_some() {
        return vec![Feature::ServingKinds];
    }
    let goes_on = spec.start.branch.is_some() || spec.start.session.is_some();
    let is_kept_in = spec.leases == LeaseMode::Strict;
    let goes_on = goes_on.then_some(Feature::IdempotentAssign);
    let is_kept_in = is_kept_in.then_some(Feature::Leases);
    goes_on.into_iter().chain(is_kept_in).collect()
}

fn too_old(machine: &MachineName, lacks: Feature) -> Outcome {
    let what = match lacks {
        Feature::ServingKinds => "look at a branch for others",
        Feature::Leases => "keep its worker to its files, as `leases: strict` wants it",
        Feature::IdempotentAssign
        | Feature::Events
        | Feature::Input
        | Feature::Diff
        | Feature::DeleteWorktree
        | Feature::StatusQuery => "go on with a branch",
    };
    Outcome::Failed {
        class: FailureClass::Configuration,
        error: format!("the agent on {machine} is too old to {what}"),
    }
}

pub(crate) fn no_machine(machine: &MachineName) -> Outcome {
    Outcome::Failed {
        class: FailureClass::Configuration,
        error: format!("there is no machine `{machine}` in the configuration any more"),
    }
}
