//! Putting a worker on an issue: the claim, and what may stand in the way of the start.

use std::collections::BTreeSet;

use super::draft::Draft;
use super::{follow, plan, promote};
use crate::assignment::{Assignment, AssignmentKind, Cause, Waivers};
use crate::command::{AssignRequest, ClaimEvidence, Refusal, Rule, WhenBlocked};
use crate::effect::ForeignClaim;
use crate::event::BoardEvent;
use crate::ids::{IssueRef, MachineName};
use crate::issue::{Issue, IssueState, branch_name};
use crate::ladder::{self, Task};
use crate::obstacle::obstacle;
use crate::placement::{self, Job};
use crate::standing;

pub(super) fn assign(draft: &mut Draft<'_>, request: &AssignRequest) -> Result<(), Refusal> {
    let issue = IssueRef {
        repo: request.repo.clone(),
        number: request.issue.number,
    };
    if let Some(earlier) = draft.board().assignments.get(&request.id) {
        return asked_again(earlier, &issue);
    }
    proposed(draft, request, &issue)?;
    let labels = &request.issue.labels;
    let machine = machine(draft, request.machine.as_ref(), &issue, labels)?;
    standing::unclaimed(draft.board(), &issue)?;
    let (found, evidence) = (&request.issue, &request.evidence);
    may_be_worked_on(draft, &issue, found, evidence, &request.waivers)?;

    let assignment = assignment(draft, request, issue, machine);
    follow::put_aside(draft, &assignment, Cause::Person);
    let id = assignment.id.clone();
    match obstacle(draft.board(), draft.policy, &assignment, draft.now) {
        None => promote::start(draft, assignment),
        Some(why) if request.when_blocked == WhenBlocked::Wait && why.rule.may_pass() => {
            draft.emit(BoardEvent::AssignmentWaits {
                assignment: Box::new(assignment),
                why,
            });
        }
        Some(refusal) => return Err(refusal),
    }
    if let Some(proposal) = request.proposal {
        draft.emit(BoardEvent::ProposalApproved { proposal, id });
    }
    Ok(())
}

/// Whether what is approved is still proposed.
fn proposed(draft: &Draft<'_>, request: &AssignRequest, issue: &IssueRef) -> Result<(), Refusal> {
    let Some(id) = request.proposal else {
        return Ok(());
    };
    let proposal = draft.board().proposals.get(&id);
    match proposal.is_some_and(|it| it.draft.issue == *issue) {
        true => Ok(()),
        false => Err(plan::unknown(&id)),
    }
}

/// Whether nothing outside of the board speaks against work on the issue.
pub(super) fn may_be_worked_on(
    draft: &Draft<'_>,
    issue: &IssueRef,
    found: &Issue,
    evidence: &ClaimEvidence,
    waivers: &Waivers,
) -> Result<(), Refusal> {
    open(found, issue)?;
    trusted(found, waivers, issue)?;
    no_foreign_work(draft, evidence, waivers, issue)
}

/// The same command twice, as after a crash, is one assignment.
fn asked_again(earlier: &Assignment, issue: &IssueRef) -> Result<(), Refusal> {
    if earlier.issue == *issue {
        return Ok(());
    }
    let why = format!("the id {} belongs to {}", earlier.id, earlier.issue);
    Err(Refusal::new(Rule::State, why)
        .of_issue(issue)
        .of_assignment(&earlier.id))
}

/// The machine that a person named, or the best one, provided that it may work on the repository.
pub(super) fn machine(
    draft: &Draft<'_>,
    wanted: Option<&MachineName>,
    issue: &IssueRef,
    labels: &[String],
) -> Result<MachineName, Refusal> {
    let refuse = |why: String| Refusal::new(Rule::Configuration, why).of_issue(issue);
    let (policy, repo) = (draft.policy, &issue.repo);
    if !policy.repos.contains_key(repo) {
        let refusal = refuse(format!("no repository is called {repo}"));
        return Err(refusal.hint("`coord config` lists the repositories"));
    }
    let Some(name) = wanted else {
        let job = Job::new(repo, labels);
        let best = placement::best_machine(draft.board(), policy, &job, draft.now);
        return best
            .cloned()
            .ok_or_else(|| no_machine(draft, issue, labels));
    };
    let Some(machine) = policy.machines.get(name) else {
        let refusal = refuse(format!("no machine is called {name}"));
        return Err(refusal.hint("`coord config` lists the machines"));
    };
    if machine.repos.contains(repo) {
        Ok(name.clone())
    } else {
        let refusal = refuse(format!("{name} may not work on {repo}"));
        Err(refusal.hint("add the repository to `repos` of the machine"))
    }
}

fn no_machine(draft: &Draft<'_>, issue: &IssueRef, labels: &[String]) -> Refusal {
    let repo = &issue.repo;
    if placement::may_work(draft.policy, repo).next().is_none() {
        let why = format!("no machine may work on {repo}");
        let refusal = Refusal::new(Rule::Configuration, why).of_issue(issue);
        return refusal.hint("add it to `repos` of a machine");
    }
    let needed = placement::needed(labels).join(", ");
    let why = format!("no machine that may work on {repo} has what {issue} needs: {needed}");
    let refusal = Refusal::new(Rule::Capability, why).of_issue(issue);
    refusal.hint("add it to `capabilities` of a machine, or name the machine")
}

fn open(found: &Issue, issue: &IssueRef) -> Result<(), Refusal> {
    match found.state {
        IssueState::Open => Ok(()),
        IssueState::Closed => {
            let refusal = Refusal::new(Rule::IssueClosed, format!("{issue} is closed"));
            Err(refusal.of_issue(issue).hint("open it again first"))
        }
    }
}

fn trusted(found: &Issue, waivers: &Waivers, issue: &IssueRef) -> Result<(), Refusal> {
    if found.trusted || waivers.trust {
        return Ok(());
    }
    let why = format!(
        "{issue} was opened by {}, whom `trust` does not name",
        found.author
    );
    let refusal = Refusal::new(Rule::Untrusted, why).of_issue(issue);
    Err(refusal.hint("read it, then pass --trust; or add the author to `trust.users`"))
}

fn no_foreign_work(
    draft: &Draft<'_>,
    evidence: &ClaimEvidence,
    waivers: &Waivers,
    issue: &IssueRef,
) -> Result<(), Refusal> {
    match evidence {
        ClaimEvidence::Unknown { .. } if waivers.accept_unknown => Ok(()),
        ClaimEvidence::Unknown { error } => {
            let why = format!("whether somebody else works on {issue} is unknown: {error}");
            let refusal = Refusal::new(Rule::ClaimUnknown, why).of_issue(issue);
            Err(refusal.hint("try again, or pass --accept-unknown when nobody does"))
        }
        ClaimEvidence::Known { branches, claims } => {
            no_foreign_branch(draft, branches, issue)?;
            match claims.first() {
                Some(claim) if !waivers.take_over => Err(claimed_by(claim, issue)),
                Some(_) | None => Ok(()),
            }
        }
    }
}

fn no_foreign_branch(
    draft: &Draft<'_>,
    branches: &[String],
    issue: &IssueRef,
) -> Result<(), Refusal> {
    let ours: BTreeSet<&str> = draft
        .board()
        .of_issue(issue)
        .flat_map(Assignment::branches)
        .collect();
    match branches.iter().find(|name| !ours.contains(name.as_str())) {
        None => Ok(()),
        Some(foreign) => {
            let why = format!("{issue} is claimed by the branch {foreign}, which is not ours");
            let refusal = Refusal::new(Rule::Claimed, why).of_issue(issue);
            Err(refusal.hint("merge or delete the branch first"))
        }
    }
}

fn claimed_by(claim: &ForeignClaim, issue: &IssueRef) -> Refusal {
    let why = format!("{issue} is claimed by {claim}");
    Refusal::new(Rule::Claimed, why)
        .of_issue(issue)
        .hint("if that coordinator is gone for good, pass --take-over")
}

fn assignment(
    draft: &Draft<'_>,
    request: &AssignRequest,
    issue: IssueRef,
    machine: MachineName,
) -> Assignment {
    let wanted = &request.issue;
    let said = |text: &&str| !text.trim().is_empty();
    let by_person = request.briefing.as_deref().filter(said);
    let by_issue = Some(wanted.body.as_str()).filter(said);
    let by_issue = with_notes(by_issue.unwrap_or(&wanted.title), request.notes.as_deref());
    let briefing = by_person.unwrap_or(&by_issue);
    let task = Task {
        asked: request.model.as_deref(),
        labels: &wanted.labels,
        size: request.size,
    };
    let choice = ladder::choose(&draft.policy.models, task, &request.record);
    Assignment {
        briefing: briefing.to_owned(),
        issue_body: by_person.map(|_| by_issue.clone()),
        pinned: request.machine.is_some(),
        model: choice.model,
        labels: wanted.labels.clone(),
        blocked_by: request.blocked_by.iter().cloned().collect(),
        scope: request.scope.clone(),
        goal: request.goal,
        branch: branch_name(issue.number, &wanted.title),
        waived: request.waivers,
        claims_above: set_aside(request),
        freshness: request.freshness,
        ..Assignment::new(
            request.id.clone(),
            AssignmentKind::Work,
            issue,
            wanted.title.clone(),
            machine,
            draft.now,
        )
    }
}

/// The text of an issue, and below it what a planner adds. Its words may be those of a stranger, so
/// they stand where the worker expects such.
fn with_notes(text: &str, notes: Option<&str>) -> String {
    match notes.map(str::trim).filter(|notes| !notes.is_empty()) {
        None => text.to_owned(),
        Some(notes) => format!("{text}\n\n## Notes of the planner\n\n{notes}"),
    }
}

/// The last of the foreign claims that a person takes over.
fn set_aside(request: &AssignRequest) -> Option<u64> {
    match &request.evidence {
        ClaimEvidence::Known { claims, .. } if request.waivers.take_over => {
            claims.iter().map(|claim| claim.comment).max()
        }
        ClaimEvidence::Known { .. } | ClaimEvidence::Unknown { .. } => None,
    }
}
