//! The idempotency keys of effects: how they are made, and which kind of effect a key is for.
//!
//! A key that can be needed only once in the life of an assignment names nothing but that; one
//! that can be needed again carries what makes it new: an attempt, or the length of the log.

use crate::effect::CommentEvent;
use crate::ids::{AssignmentId, CommitId, EffectKey, SplitId};

/// Which kind of effect a key is for: its first word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EffectKind {
    /// [`crate::effect::Effect::Claim`].
    Claim,
    /// [`crate::effect::Effect::ReleaseClaim`].
    Release,
    /// [`crate::effect::Effect::Dispatch`].
    Dispatch,
    /// [`crate::effect::Effect::Cancel`].
    Cancel,
    /// [`crate::effect::Effect::Guide`].
    Guide,
    /// [`crate::effect::Effect::Tell`].
    Tell,
    /// [`crate::effect::Effect::Split`].
    Split,
    /// [`crate::effect::Effect::PostComment`].
    Comment,
    /// [`crate::effect::Effect::RunTest`].
    Test,
    /// [`crate::effect::Effect::OpenPull`].
    Pull,
    /// [`crate::effect::Effect::JudgeAnswer`].
    Judge,
    /// [`crate::effect::Effect::ReadChecks`].
    Checks,
    /// [`crate::effect::Effect::TestCombination`].
    Combine,
    /// [`crate::effect::Effect::Merge`].
    Merge,
    /// [`crate::effect::Effect::CloseIssue`].
    Close,
    /// [`crate::effect::Effect::RunStep`].
    Step,
}

impl EffectKind {
    const ALL: [Self; 16] = [
        Self::Claim,
        Self::Release,
        Self::Dispatch,
        Self::Cancel,
        Self::Guide,
        Self::Tell,
        Self::Split,
        Self::Comment,
        Self::Test,
        Self::Pull,
        Self::Judge,
        Self::Checks,
        Self::Combine,
        Self::Merge,
        Self::Close,
        Self::Step,
    ];

    /// The first word of its keys.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Claim => "claim",
            Self::Release => "release",
            Self::Dispatch => "dispatch",
            Self::Cancel => "cancel",
            Self::Guide => "guide",
            Self::Tell => "tell",
            Self::Split => "split",
            Self::Comment => "comment",
            Self::Test => "test",
            Self::Pull => "pull",
            Self::Judge => "judge",
            Self::Checks => "checks",
            Self::Combine => "combine",
            Self::Merge => "merge",
            Self::Close => "close",
            Self::Step => "step",
        }
    }

    /// Whether the work of an assignment goes on with it, and not only the talk about it.
    #[must_use]
    pub const fn is_work(self) -> bool {
        match self {
            Self::Claim
            | Self::Dispatch
            | Self::Cancel
            | Self::Test
            | Self::Pull
            | Self::Judge
            | Self::Checks
            | Self::Combine
            | Self::Merge
            | Self::Close => true,
            Self::Release | Self::Comment | Self::Guide | Self::Tell | Self::Split | Self::Step => {
                false
            }
        }
    }

    /// The kind of effect that `key` is for; `None` for a key that this build never made.
    #[must_use]
    pub fn of(key: &EffectKey) -> Option<Self> {
        let (word, _) = key.as_str().split_once(':')?;
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    fn key(self, rest: impl std::fmt::Display) -> EffectKey {
        EffectKey::new(format!("{}:{rest}", self.as_str()))
    }
}

/// `claim:ID`: an issue is claimed once for each assignment.
pub(crate) fn claim(id: &AssignmentId) -> EffectKey {
    EffectKind::Claim.key(id)
}

/// `release:ID:SEQ`: a claim that was still on its way may have to be taken back again.
pub(crate) fn release(id: &AssignmentId, seq: u64) -> EffectKey {
    EffectKind::Release.key(format_args!("{id}:{seq}"))
}

/// `dispatch:ID`: an assignment is dispatched once.
#[must_use]
pub fn dispatch(id: &AssignmentId) -> EffectKey {
    EffectKind::Dispatch.key(id)
}

/// `cancel:ID:SEQ`: an agent may have to be told more than once.
pub(crate) fn cancel(id: &AssignmentId, seq: u64) -> EffectKey {
    EffectKind::Cancel.key(format_args!("{id}:{seq}"))
}

/// `guide:ID:SEQ`: a worker may be told several things.
pub(crate) fn guide(id: &AssignmentId, seq: u64) -> EffectKey {
    EffectKind::Guide.key(format_args!("{id}:{seq}"))
}

/// `tell:ID:SEQ`: a worker may be told several things.
pub(crate) fn tell(id: &AssignmentId, seq: u64) -> EffectKey {
    EffectKind::Tell.key(format_args!("{id}:{seq}"))
}

/// `split:SPLIT:SEQ`: a person may have it tried again.
pub(crate) fn split(id: SplitId, seq: u64) -> EffectKey {
    EffectKind::Split.key(format_args!("{id}:{seq}"))
}

/// `comment:EVENT:ID`: one comment of each kind.
pub(crate) fn comment(event: CommentEvent, id: &AssignmentId) -> EffectKey {
    EffectKind::Comment.key(format_args!("{}:{id}", event.as_str()))
}

/// `test:ID:HEAD`, from the second run on with `:RUN`.
pub(crate) fn test(id: &AssignmentId, head: &CommitId, run: u32) -> EffectKey {
    match run {
        0 | 1 => EffectKind::Test.key(format_args!("{id}:{head}")),
        _ => EffectKind::Test.key(format_args!("{id}:{head}:{run}")),
    }
}

/// `pull:ID:SEQ`: a person may have it tried again.
pub(crate) fn pull(id: &AssignmentId, seq: u64) -> EffectKey {
    EffectKind::Pull.key(format_args!("{id}:{seq}"))
}

/// `judge:ID`: an assignment gives one answer.
pub(crate) fn judge(id: &AssignmentId) -> EffectKey {
    EffectKind::Judge.key(id)
}

/// `checks:ID:SEQ`: a person may have them read again.
pub(crate) fn checks(id: &AssignmentId, seq: u64) -> EffectKey {
    EffectKind::Checks.key(format_args!("{id}:{seq}"))
}

/// `combine:ID:SEQ`, with the first entry.
pub(crate) fn combine(id: &AssignmentId, seq: u64) -> EffectKey {
    EffectKind::Combine.key(format_args!("{id}:{seq}"))
}

/// `merge:ID:ATTEMPT`.
pub(crate) fn merge(id: &AssignmentId, attempt: u32) -> EffectKey {
    EffectKind::Merge.key(format_args!("{id}:{attempt}"))
}

/// `close:ID`: the issue is closed once for each assignment that solved it.
pub(crate) fn close(id: &AssignmentId) -> EffectKey {
    EffectKind::Close.key(id)
}

/// `step:SEQ:PLACE`: a step runs once for each round or session, which its last event names.
pub(crate) fn step(seq: u64, place: u32) -> EffectKey {
    EffectKind::Step.key(format_args!("{seq}:{place}"))
}
