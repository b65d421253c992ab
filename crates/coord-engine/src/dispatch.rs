//! Handing work to agents, and having them stop it.

use coord_core::Board;
use coord_core::assignment::AssignmentState;
use coord_core::command::{AgentReport, Command};
use coord_core::effect::{DispatchSpec, Outcome};
use coord_core::failure::FailureClass;
use coord_core::ids::{AssignmentId, MachineName};
use coord_protocol::{AssignBody, ClientError, Feature};

use crate::clock;
use crate::effects::Later;
use crate::engine::Engine;
use crate::error::with_causes;
use crate::freshness::Circumstances;

impl Engine {
    pub(crate) async fn dispatch(
        &self,
        spec: &DispatchSpec,
        again: bool,
    ) -> Result<Outcome, Later> {
        // First, because it takes time: a stop meanwhile is still heard.
        let circumstances = self.circumstances(spec).await;
        let board = self.store().board().await.map_err(Later::new)?;
        if is_given_up(&board, &spec.id) {
            return Ok(given_up());
        }
        let Some(client) = self.agents().get(&spec.machine) else {
            return Ok(no_machine(&spec.machine));
        };
        let hand_over = async {
            let goes_on = spec.start.branch.is_some() || spec.start.session.is_some();
            if goes_on && !client.health().await?.can(Feature::IdempotentAssign) {
                return Ok(false);
            }
            if again && self.has_it_already(client, &board, &spec.id).await? {
                return Ok(true);
            }
            let body = self.body(spec, circumstances);
            client.assign(&body).await.map(|_| true)
        };
        match hand_over.await {
            Ok(false) => Ok(too_old(&spec.machine)),
            Ok(true) => {
                self.answers(&spec.machine).await.map_err(Later::new)?;
                Ok(Outcome::Dispatched)
            }
            Err(error) => self.agent_failed(&spec.machine, error).await,
        }
    }

    fn body(&self, spec: &DispatchSpec, circumstances: Circumstances) -> AssignBody {
        let at = (spec.machine.clone(), spec.issue.repo.clone());
        let path = self.0.repo_paths.get(&at);
        AssignBody {
            repo_name: spec.issue.repo.to_string(),
            repo_path: path.cloned().unwrap_or_default(),
            issue_number: spec.issue.number,
            issue_title: spec.title.clone(),
            briefing: spec.briefing.clone(),
            issue_body: spec.issue_body.clone(),
            pull_repos: circumstances.pull_repos,
            context: circumstances.context,
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
                report.await.map_err(Later::new)
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

/// An agent of 0.1.0 would begin anew, on a branch of the same name.
fn too_old(machine: &MachineName) -> Outcome {
    Outcome::Failed {
        class: FailureClass::Configuration,
        error: format!("the agent on {machine} is too old to go on with a branch"),
    }
}

pub(crate) fn no_machine(machine: &MachineName) -> Outcome {
    Outcome::Failed {
        class: FailureClass::Configuration,
        error: format!("there is no machine `{machine}` in the configuration any more"),
    }
}
