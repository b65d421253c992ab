//! The rules that a plan has to follow.

use std::borrow::Cow;

use super::{Candidate, Candidates, Chunk, ProposalDraft, SplitDraft};
use crate::assignment::{Assignment, AssignmentKind, AssignmentState, FileScope};
use crate::board::Board;
use crate::command::{Refusal, Rule};
use crate::ids::{AssignmentId, IssueRef, MachineName, RepoName, Timestamp};
use crate::issue::IssueState;
use crate::obstacle::obstacle;
use crate::placement::{self, Job};
use crate::policy::Policy;
use crate::standing;

/// How long a rationale may be, in bytes.
const RATIONALE: usize = 4 * 1024;
/// How long notes and the scope of a chunk may be, in bytes.
const TEXT: usize = 32 * 1024;
/// How long the title of a chunk may be, in bytes.
const TITLE: usize = 200;
/// How many globs there may be, and how long one may be in bytes.
const GLOBS: (usize, usize) = (100, 300);
/// How many parts an issue may be split into.
const CHUNKS: std::ops::RangeInclusive<usize> = 2..=12;

/// What passed, and what did not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Examined {
    /// In the order in which they were given.
    pub proposals: Vec<ProposalDraft>,
    /// In the order in which they were given.
    pub splits: Vec<SplitDraft>,
    /// Why the others were refused.
    pub refused: Vec<Refusal>,
}

/// Examines a whole plan: proposals first, each beside those before it.
#[must_use]
pub fn examine(
    mut examiner: Examiner<'_>,
    proposals: Vec<ProposalDraft>,
    splits: Vec<SplitDraft>,
) -> Examined {
    let mut examined = Examined::default();
    for draft in proposals {
        match examiner.admit(&draft) {
            Ok(()) => examined.proposals.push(draft),
            Err(refusal) => examined.refused.push(refusal),
        }
    }
    for draft in splits {
        match examiner.admit_split(&draft) {
            Ok(()) => examined.splits.push(draft),
            Err(refusal) => examined.refused.push(refusal),
        }
    }
    examined
}

/// Says of one proposal after the other whether it could be approved beside those before it.
#[derive(Debug, Clone)]
pub struct Examiner<'a> {
    /// As it would be if everything admitted so far had been approved.
    board: Cow<'a, Board>,
    policy: &'a Policy,
    candidates: &'a Candidates,
    now: Timestamp,
    admitted: u64,
    split: Vec<IssueRef>,
}

impl<'a> Examiner<'a> {
    /// One that has admitted nothing yet. `candidates` are the issues that may be chosen.
    #[must_use]
    pub fn new(
        board: &'a Board,
        policy: &'a Policy,
        candidates: &'a Candidates,
        now: Timestamp,
    ) -> Self {
        Self {
            board: Cow::Borrowed(board),
            policy,
            candidates,
            now,
            admitted: 0,
            split: Vec::new(),
        }
    }

    /// The board as it would be if everything admitted so far had been approved.
    #[must_use]
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// Admits a proposal, or says why not: then nothing has changed.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn admit(&mut self, draft: &ProposalDraft) -> Result<(), Refusal> {
        let candidate = self.candidate(&draft.issue)?;
        self.place(draft, candidate)?;
        self.text(&draft.issue, "the rationale", &draft.rationale, RATIONALE)?;
        let notes = draft.notes.as_deref().unwrap_or_default();
        self.text(&draft.issue, "the notes", notes, TEXT)?;
        self.globs(&draft.issue, &draft.files)?;
        self.model(draft)?;
        let mut it = self.hypothetical(draft, candidate);
        if let Some(refusal) = obstacle(&self.board, self.policy, &it, self.now) {
            return Err(self.in_plain_words(refusal));
        }
        it.state = AssignmentState::Requested;
        self.admitted += 1;
        self.board.to_mut().assignments.insert(it.id.clone(), it);
        Ok(())
    }

    /// Admits a split, or says why not.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn admit_split(&mut self, draft: &SplitDraft) -> Result<(), Refusal> {
        let issue = &draft.issue;
        self.candidate(issue)?;
        if self.split.contains(issue) {
            return Err(duplicate(issue, "is split twice in this plan"));
        }
        self.text(issue, "the rationale", &draft.rationale, RATIONALE)?;
        if !CHUNKS.contains(&draft.chunks.len()) {
            let why = format!(
                "a split of {issue} has {} parts, and may have {} to {}",
                draft.chunks.len(),
                CHUNKS.start(),
                CHUNKS.end()
            );
            return Err(Refusal::new(Rule::Invalid, why).of_issue(issue));
        }
        for (place, chunk) in draft.chunks.iter().enumerate() {
            self.chunk(issue, place, chunk)?;
        }
        self.split.push(issue.clone());
        Ok(())
    }

    fn chunk(&self, issue: &IssueRef, place: usize, chunk: &Chunk) -> Result<(), Refusal> {
        let invalid = |what: &str| {
            let why = format!("part {} of the split of {issue} {what}", place + 1);
            Refusal::new(Rule::Invalid, why).of_issue(issue)
        };
        let title = chunk.title.trim();
        if title.is_empty() || title.len() > TITLE || title.contains(char::is_control) {
            return Err(invalid("needs a title of one line, at most 200 bytes long"));
        }
        if chunk.after.iter().any(|earlier| *earlier >= place) {
            return Err(invalid("comes after one that is not before it"));
        }
        self.text(issue, "the scope of a part", &chunk.scope, TEXT)?;
        self.globs(issue, &chunk.files)
    }

    /// An issue that may be worked on and that nobody works on.
    fn candidate(&self, issue: &IssueRef) -> Result<&'a Candidate, Refusal> {
        if !self.policy.repos.contains_key(&issue.repo) {
            let why = format!("no repository is called {}", quoted(issue.repo.as_str()));
            return Err(Refusal::new(Rule::Configuration, why));
        }
        let Some(candidate) = self.candidates.get(issue) else {
            let why = format!("{issue} is not among the open issues");
            let refusal = Refusal::new(Rule::UnknownIssue, why).of_issue(issue);
            return Err(refusal.hint("it is closed, or `coord sync` has not seen it yet"));
        };
        if candidate.issue.state == IssueState::Closed {
            let why = format!("{issue} is closed");
            return Err(Refusal::new(Rule::IssueClosed, why).of_issue(issue));
        }
        if !candidate.issue.trusted {
            let author = quoted(&candidate.issue.author);
            let why = format!("{issue} was opened by {author}, whom `trust` does not name");
            return Err(Refusal::new(Rule::Untrusted, why).of_issue(issue));
        }
        standing::unclaimed(&self.board, issue).map_err(|refusal| self.named(refusal, issue))?;
        standing::untried(&self.board, issue)?;
        Ok(candidate)
    }

    /// A claim by something that this plan itself proposes has a name that nobody knows.
    fn named(&self, refusal: Refusal, issue: &IssueRef) -> Refusal {
        let by = refusal.assignment.as_ref();
        match by.is_some_and(|id| self.is_hypothetical(id)) {
            true => duplicate(issue, "has its place in this plan already"),
            false => refusal,
        }
    }

    /// What this plan itself proposes has an id that nobody knows.
    fn in_plain_words(&self, refusal: Refusal) -> Refusal {
        let by = refusal.assignment.as_ref();
        let Some(id) = by.filter(|id| self.is_hypothetical(id)) else {
            return refusal;
        };
        let unknown = format!("assignment {id}");
        Refusal {
            why: refusal
                .why
                .replace(&unknown, "an earlier proposal of this plan"),
            assignment: None,
            hint: None,
            ..refusal
        }
    }

    fn place(&self, draft: &ProposalDraft, candidate: &Candidate) -> Result<(), Refusal> {
        let (name, issue) = (&draft.machine, &draft.issue);
        let refuse = |rule, why: String| Err(Refusal::new(rule, why).of_issue(issue));
        let Some(machine) = self.policy.machines.get(name) else {
            let name = quoted(name.as_str());
            return refuse(Rule::Configuration, format!("no machine is called {name}"));
        };
        if !machine.repos.contains(&issue.repo) {
            let why = format!("{name} may not work on {}", issue.repo);
            return refuse(Rule::Configuration, why);
        }
        let needed = placement::needed(&candidate.issue.labels);
        let missing = needed.into_iter().find(|it| !machine.can(it));
        if let Some(missing) = missing {
            let why = format!(
                "{issue} needs {}, which {name} does not have",
                quoted(missing)
            );
            return refuse(Rule::Capability, why);
        }
        Ok(())
    }

    fn model(&self, draft: &ProposalDraft) -> Result<(), Refusal> {
        let models = &self.policy.models;
        match &draft.model {
            Some(model) if !models.knows(model) => {
                let why = format!("the model {} is not configured", quoted(model));
                let refusal = Refusal::new(Rule::Configuration, why).of_issue(&draft.issue);
                Err(refusal.hint("add it to `models.escalation`"))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn text(&self, issue: &IssueRef, what: &str, text: &str, most: usize) -> Result<(), Refusal> {
        if text.len() <= most {
            return Ok(());
        }
        let why = format!(
            "{what} of {issue}: {} bytes, where {most} are allowed",
            text.len()
        );
        Err(Refusal::new(Rule::Invalid, why).of_issue(issue))
    }

    fn globs(&self, issue: &IssueRef, globs: &[String]) -> Result<(), Refusal> {
        let (most, longest) = GLOBS;
        let refuse = |why: String| Err(Refusal::new(Rule::Invalid, why).of_issue(issue));
        if globs.len() > most {
            return refuse(format!(
                "{issue} has {} globs, and may have {most}",
                globs.len()
            ));
        }
        let leads_out = |glob: &str| {
            glob.starts_with(['/', '~', '\\']) || glob.split('/').any(|name| name == "..")
        };
        let is_odd = |glob: &&String| {
            glob.trim().is_empty()
                || glob.len() > longest
                || glob.contains(char::is_control)
                || leads_out(glob)
        };
        match globs.iter().find(is_odd) {
            None => Ok(()),
            Some(glob) => refuse(format!(
                "{} is no glob relative to the root of {}",
                quoted(glob),
                issue.repo
            )),
        }
    }

    fn hypothetical(&self, draft: &ProposalDraft, candidate: &Candidate) -> Assignment {
        let id = hypothetical_id(self.admitted);
        let (issue, machine) = (draft.issue.clone(), draft.machine.clone());
        let title = candidate.issue.title.clone();
        Assignment {
            pinned: true,
            scope: FileScope {
                allowed: draft.files.clone(),
                forbidden: Vec::new(),
            },
            blocked_by: candidate.blocked_by.iter().cloned().collect(),
            ..Assignment::new(id, AssignmentKind::Work, issue, title, machine, self.now)
        }
    }

    fn is_hypothetical(&self, id: &AssignmentId) -> bool {
        (0..self.admitted).any(|number| hypothetical_id(number) == *id)
    }

    /// How many more workers may be started on `machine` beside what is admitted.
    #[must_use]
    pub fn free_slots(&self, machine: &MachineName) -> u32 {
        placement::free_slots(&self.board, self.policy, machine)
    }

    /// The machines for an issue of `repo` with these labels, the best first: one that answers
    /// before one that does not, one with more free slots before one with fewer. Those without a
    /// free slot, or what the labels ask for, are left out.
    #[must_use]
    pub fn machines_for(&self, repo: &RepoName, labels: &[String]) -> Vec<&'a MachineName> {
        let job = Job::new(repo, labels);
        placement::in_order(&self.board, self.policy, &job, self.now)
    }
}

/// Ids of 48 bits are drawn at random: none is as high as these.
fn hypothetical_id(number: u64) -> AssignmentId {
    AssignmentId::from_bits(0xffff_ffff_ffff - number)
}

fn duplicate(issue: &IssueRef, what: &str) -> Refusal {
    Refusal::new(Rule::Duplicate, format!("{issue} {what}")).of_issue(issue)
}

/// A planner's word in a sentence: shortened, without control characters.
fn quoted(text: &str) -> String {
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let short: String = plain.take(60).collect();
    format!("`{short}`")
}
