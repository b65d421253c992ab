//! Finished branches on their way: what [`pipeline::next`] says is to be begun, begins.

use super::draft::{Draft, refuse};
use super::{fix, follow, merge, serve, test};
use crate::assignment::{About, Assignment};
use crate::delivery::{PullAuthor, PullText};
use crate::effect::{Effect, Outcome};
use crate::event::BoardEvent;
use crate::failure::FailureClass;
use crate::ids::{AssignmentId, CommitId, EffectKey};
use crate::key::{self, EffectKind};
use crate::pipeline::{self, Next, Step};
use crate::policy::Gate;
use crate::verdict::ChecksVerdict;

/// More steps than any branch can take without waiting for something.
const STEPS: usize = 16;

/// Takes every finished branch as far as it goes by itself.
pub(super) fn advance(draft: &mut Draft<'_>) {
    let branches = draft.board().assignments.values();
    let ids: Vec<AssignmentId> = branches
        .filter(|it| it.is_finished_branch() && it.merged_as().is_none())
        .map(|it| it.id.clone())
        .collect();
    for id in ids {
        for _ in 0..STEPS {
            match next(draft, &id) {
                Some(Next::Begin(step)) => begin(draft, &id, &step),
                Some(Next::Busy(_) | Next::Person { .. } | Next::Nothing) | None => break,
            }
        }
    }
}

fn next(draft: &Draft<'_>, id: &AssignmentId) -> Option<Next> {
    let it = draft.board().assignments.get(id)?;
    Some(pipeline::next(draft.board(), draft.policy, it, draft.now))
}

fn begin(draft: &mut Draft<'_>, id: &AssignmentId, step: &Step) {
    match step {
        Step::Test => test::start(draft, id),
        Step::Serve(kind, not_before) => serve::begin(draft, id, *kind, *not_before),
        Step::OpenPull => open_pull(draft, id),
        Step::ReadChecks => read_checks(draft, id),
        Step::SendBack(cause, onto) => fix::send_back(draft, id, *cause, onto.clone()),
        Step::Queue => merge::queue_by_itself(draft, id),
    }
}

fn open_pull(draft: &mut Draft<'_>, id: &AssignmentId) {
    let Some(it) = draft.board().assignments.get(id) else {
        return;
    };
    let Some(work) = it.deliverable() else {
        return;
    };
    let text = it.delivery.pull_text.clone();
    let text = text.unwrap_or_else(|| template(it));
    let effect = Effect::OpenPull {
        id: id.clone(),
        issue: it.issue.clone(),
        branch: work.branch.to_owned(),
        title: text.title,
        body: text.body,
    };
    draft.enqueue(key::pull(id, draft.board().seq), id, effect);
}

/// What nobody wrote.
fn template(it: &Assignment) -> PullText {
    let end = it.end.as_ref();
    let commits = end.map_or(0, |end| end.commits);
    let files = end.map_or(0, |end| end.files.len());
    PullText {
        title: it.title.clone(),
        body: format!(
            "The work of assignment {} on {}: {commits} commit(s), {files} file(s).",
            it.id, it.machine
        ),
    }
}

/// Has the forge's checks read, at first or once more.
pub(super) fn read_checks(draft: &mut Draft<'_>, id: &AssignmentId) {
    let Some(it) = draft.board().assignments.get(id) else {
        return;
    };
    let Some(work) = it.deliverable() else {
        return;
    };
    let effect = Effect::ReadChecks {
        id: id.clone(),
        issue: it.issue.clone(),
        branch: work.branch.to_owned(),
        head: work.head.clone(),
    };
    draft.enqueue(key::checks(id, draft.board().seq), id, effect);
}

/// What came of opening the pull request.
pub(super) fn pull_opened(draft: &mut Draft<'_>, id: &AssignmentId, outcome: &Outcome) {
    let id = id.clone();
    if let Outcome::PullOpened { number } = outcome {
        let number = *number;
        draft.emit(BoardEvent::PullOpened { id, number });
    } else if let Outcome::Failed { error, .. } = outcome {
        let reason = error.clone();
        draft.emit(BoardEvent::PullRefused { id, reason });
    }
}

/// What the forge's checks came to. The branch has the head that was asked about: one that moves
/// takes the question back.
pub(super) fn checks_read(draft: &mut Draft<'_>, id: &AssignmentId, outcome: &Outcome) {
    let (good, note) = if let Outcome::ChecksRead { good, note } = outcome {
        (*good, note.clone())
    } else if let Outcome::Failed { error, .. } = outcome {
        (false, error.clone())
    } else {
        return;
    };
    let Some(head) = head_of(draft, id) else {
        return;
    };
    let at = draft.now;
    draft.emit(BoardEvent::ChecksRecorded {
        id: id.clone(),
        verdict: ChecksVerdict {
            head,
            good,
            note,
            at,
        },
    });
}

/// Takes the question back how the forge's checks stand where nobody needs to know any more: they may
/// never end.
pub(super) fn forget_checks(draft: &mut Draft<'_>) {
    let board = draft.board();
    let is_needed = |id: &AssignmentId| {
        board.assignments.get(id).is_some_and(|it| {
            let is_over = it.stop_requested || it.merged_as().is_some();
            it.is_finished_branch() && !is_over && it.overridden(Gate::Ci).is_none()
        })
    };
    let of_checks = |key: &EffectKey| EffectKind::of(key) == Some(EffectKind::Checks);
    let open = board.open_effects.iter();
    let pointless: Vec<AssignmentId> = open
        .filter(|(key, id)| of_checks(key) && !is_needed(id))
        .map(|(_, id)| id.clone())
        .collect();
    let outcome = Outcome::Failed {
        class: FailureClass::Configuration,
        error: "nobody needs to know any more".to_owned(),
    };
    for id in pointless {
        draft.settle_open(&id, EffectKind::Checks, &outcome);
    }
}

/// The branch is at another commit than we thought: what was asked about the old one is of no use.
pub(super) fn branch_moved(draft: &mut Draft<'_>, id: &AssignmentId, head: &CommitId) {
    let Some(known) = head_of(draft, id).filter(|known| known != head) else {
        return;
    };
    if is_unpublished(draft, id) {
        let (theirs, ours) = (head.short(), known.short());
        let id = id.clone();
        let reason = format!("its branch is at {theirs}, and {ours} could not be pushed to it");
        return draft.emit(BoardEvent::MergeRefused { id, reason });
    }
    draft.emit(BoardEvent::BranchMoved {
        id: id.clone(),
        head: head.clone(),
    });
    let outcome = Outcome::HeadMoved { head: head.clone() };
    for kind in [EffectKind::Test, EffectKind::Checks] {
        draft.settle_open(id, kind, &outcome);
    }
}

/// Somebody has looked where the branch is. Whoever goes on with it moves it as well, and a merge
/// finds out by itself.
pub(super) fn branch_seen(draft: &mut Draft<'_>, id: &AssignmentId, head: &CommitId) {
    let board = draft.board();
    let Some(it) = board.assignments.get(id) else {
        return;
    };
    let is_ours = it.kind.writes() && it.superseded_by.is_none() && board.rival(it).is_none();
    if !is_ours || it.state.is_active() || follow::is_merging(it) || is_unpublished(draft, id) {
        return;
    }
    let before = head_of(draft, id);
    branch_moved(draft, id, head);
    if before != head_of(draft, id) {
        merge::queue_again(draft, id);
    }
}

/// Whether only the machine of its worker has it: what is on a branch of that name elsewhere is then
/// nothing that came after it, and would be merged in its place.
fn is_unpublished(draft: &Draft<'_>, id: &AssignmentId) -> bool {
    let it = draft.board().assignments.get(id);
    let end = it.and_then(|it| it.end.as_ref());
    end.is_some_and(|end| !end.pushed)
}

pub(super) fn head_of(draft: &Draft<'_>, id: &AssignmentId) -> Option<CommitId> {
    let it = draft.board().assignments.get(id)?;
    it.deliverable().map(|work| work.head.clone())
}

/// A person wants the pull request, and maybe the review.
pub(super) fn want_pull(
    draft: &mut Draft<'_>,
    id: &AssignmentId,
    author: PullAuthor,
    review: bool,
) -> Result<(), crate::command::Refusal> {
    let it = serve::under_way(draft, id)?;
    follow::unrivalled(draft.board(), it)?;
    if let (Some(number), false) = (it.delivery.pull, review) {
        return Err(refuse(it, &format!("has pull request #{number} already")));
    }
    if it.delivery.pull.is_some() && it.delivery.wants.review {
        return Ok(());
    }
    draft.emit(BoardEvent::PullWanted {
        id: id.clone(),
        author,
        review,
    });
    Ok(())
}

/// Whether nobody needs any more what somebody looks at.
pub(super) fn is_pointless(draft: &Draft<'_>, about: &About) -> bool {
    let subject = draft.board().assignments.get(&about.id);
    subject.is_none_or(|it| {
        let is_at = it
            .deliverable()
            .is_some_and(|work| *work.head == about.head);
        let is_over = it.stop_requested || it.merged_as().is_some();
        !it.is_finished_branch() || is_over || !is_at
    })
}
