//! Putting a worker on an issue: the claim, and what may stand in the way of the start.

use std::collections::BTreeSet;

use super::draft::Draft;
use super::{follow, promote};
use crate::assignment::{Assignment, AssignmentKind, Cause, Waivers};
use crate::command::{AssignRequest, ClaimEvidence, Refusal, Rule, WhenBlocked};
use crate::effect::ForeignClaim;
use crate::event::BoardEvent;
use crate::ids::{IssueRef, MachineName};
use crate::issue::{Issue, IssueState, branch_name};
use crate::ladder;
use crate::obstacle::obstacle;
use crate::placement;

pub(super) fn assign(draft: &mut Draft<'_>, request: &AssignRequest) -> Result<(), Refusal> {
    let issue = IssueRef {
        repo: request.repo.clone(),
        number: request.issue.number,
    };
    if let Some(earlier) = draft.board().assignments.get(&request.id) {
        return asked_again(earlier, &issue);
    }
    let machine = machine(draft, request.machine.as_ref(), &issue)?;
    unclaimed(draft, &issue)?;
    let (found, evidence) = (&request.issue, &request.evidence);
    may_be_worked_on(draft, &issue, found, evidence, &request.waivers)?;

    let assignment = assignment(draft, request, issue, machine);
    follow::put_aside(draft, &assignment, Cause::Person);
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
    Ok(())
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
) -> Result<MachineName, Refusal> {
    let refuse = |why: String| Refusal::new(Rule::Configuration, why).of_issue(issue);
    let (policy, repo) = (draft.policy, &issue.repo);
    if !policy.repos.contains_key(repo) {
        let refusal = refuse(format!("no repository is called {repo}"));
        return Err(refusal.hint("`coord config` lists the repositories"));
    }
    let Some(name) = wanted else {
        let best = placement::best_machine(draft.board(), policy, repo, draft.now);
        return best.cloned().ok_or_else(|| {
            refuse(format!("no machine may work on {repo}")).hint("add it to `repos` of a machine")
        });
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

/// Whether no assignment of the board claims the issue.
pub(super) fn unclaimed(draft: &Draft<'_>, issue: &IssueRef) -> Result<(), Refusal> {
    let claim = draft.board().of_issue(issue).find(|it| it.claims_issue());
    let Some(first) = claim else {
        return Ok(());
    };
    let (what, hint) = if first.state.is_active() {
        (
            first.state.as_str(),
            format!("`coord stop {}` first", first.id),
        )
    } else if first.merged_as().is_some() {
        ("merged", "its issue is about to be closed".to_owned())
    } else {
        let hint = format!("`coord why {issue}` says what it waits for");
        ("done and on its way to the merge", hint)
    };
    let why = format!(
        "{issue} is claimed by assignment {} on {}, which is {what}",
        first.id, first.machine
    );
    Err(Refusal::new(Rule::Claimed, why)
        .of_issue(issue)
        .of_assignment(&first.id)
        .hint(hint))
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
    let briefing = by_person.or(by_issue).unwrap_or(&wanted.title);
    let models = &draft.policy.models;
    Assignment {
        briefing: briefing.to_owned(),
        issue_body: by_person.map(|_| wanted.body.clone()),
        pinned: request.machine.is_some(),
        model: ladder::choose(models, request.model.as_deref(), &wanted.labels),
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

/// The last of the foreign claims that a person takes over.
fn set_aside(request: &AssignRequest) -> Option<u64> {
    match &request.evidence {
        ClaimEvidence::Known { claims, .. } if request.waivers.take_over => {
            claims.iter().map(|claim| claim.comment).max()
        }
        ClaimEvidence::Known { .. } | ClaimEvidence::Unknown { .. } => None,
    }
}
