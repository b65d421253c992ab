//! What a model answered, made into drafts.
//!
//! Nothing that it says can fail a plan as a whole but an answer that is no plan at all: an entry
//! that is of no use is refused by itself, and named.

use coord_core::command::{Refusal, Rule};
use coord_core::ids::{IssueRef, MachineName, RepoName};
use coord_core::proposal::{Chunk, ProposalDraft, Size, SplitDraft};
use serde::Deserialize;
use serde_json::Value;

use crate::text;

/// How many proposals, and how many splits, of one answer are looked at.
pub(crate) const ENTRIES: usize = 100;
/// How long an answer may be, in bytes.
const LONGEST: usize = 1024 * 1024;
/// How many of the entries beyond are named one by one.
const NAMED: usize = 400;
/// How much of a name is repeated, in bytes.
const NAME: usize = 60;

/// What a planner has to say, before it is examined.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Drafts {
    /// In its order.
    pub proposals: Vec<ProposalDraft>,
    /// In its order.
    pub splits: Vec<SplitDraft>,
    /// What is of no use, or was passed over; and why.
    pub refused: Vec<Refusal>,
}

/// An answer that is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// Nobody needs so much to say what a plan is.
    #[error("the answer has {0} bytes, and may have {LONGEST}")]
    TooLong(usize),
    /// There is no JSON object in it.
    #[error("the answer is no JSON object: {0}")]
    NoJson(String),
    /// It is JSON, and something else.
    #[error("the answer has neither `proposals` nor `splits` as a list")]
    Shape,
}

impl AnswerError {
    /// As a refusal: to be recorded, and to be fed back.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        Refusal::new(Rule::Invalid, self.to_string())
    }
}

/// Reads the text of an answer; prose and code marks around the object are passed over.
///
/// # Errors
/// When it holds no plan.
pub fn read(answer: &str) -> Result<Drafts, AnswerError> {
    if answer.len() > LONGEST {
        return Err(AnswerError::TooLong(answer.len()));
    }
    let whole = serde_json::from_str::<Value>(answer);
    let value = whole.or_else(|first| {
        let inner = object_in(answer).and_then(|text| serde_json::from_str(text).ok());
        inner.ok_or_else(|| AnswerError::NoJson(first.to_string()))
    })?;
    read_value(&value)
}

fn object_in(text: &str) -> Option<&str> {
    let (start, end) = (text.find('{')?, text.rfind('}')?);
    text.get(start..=end)
}

/// Reads an answer that is JSON already.
///
/// # Errors
/// When it is no plan.
pub fn read_value(answer: &Value) -> Result<Drafts, AnswerError> {
    let list = |name| answer.get(name).and_then(Value::as_array);
    let (proposals, splits) = (list("proposals"), list("splits"));
    if proposals.is_none() && splits.is_none() {
        return Err(AnswerError::Shape);
    }
    let mut refused = Vec::new();
    let proposals = entries("proposal", proposals, &mut refused, RawProposal::draft);
    let splits = entries("split", splits, &mut refused, RawSplit::draft);
    Ok(Drafts {
        proposals,
        splits,
        refused,
    })
}

/// An answer's entries as drafts; why not of the others goes to `refused`.
fn entries<'v, Raw: Deserialize<'v>, Draft>(
    what: &str,
    list: Option<&'v Vec<Value>>,
    refused: &mut Vec<Refusal>,
    draft: impl Fn(Raw) -> Result<Draft, String>,
) -> Vec<Draft> {
    let list = list.map(Vec::as_slice).unwrap_or_default();
    let (list, beyond) = list.split_at(list.len().min(ENTRIES));
    let mut drafts = Vec::new();
    for (place, entry) in list.iter().enumerate() {
        let raw = Raw::deserialize(entry).map_err(|error| error.to_string());
        match raw.and_then(&draft) {
            Ok(draft) => drafts.push(draft),
            Err(why) => {
                let why = text::line(&why, 200);
                refused.push(invalid(
                    entry,
                    format!("{}: {why}", name(what, place, entry)),
                ));
            }
        }
    }
    for (place, entry) in beyond.iter().enumerate().take(NAMED) {
        let name = name(what, ENTRIES + place, entry);
        refused.push(invalid(
            entry,
            format!("{name} is beyond the {ENTRIES} that a plan may have"),
        ));
    }
    if let Some(more) = beyond.len().checked_sub(NAMED).filter(|more| *more > 0) {
        let why = format!(
            "{} beyond the {ENTRIES} that a plan may have",
            text::count(more, what)
        );
        refused.push(Refusal::new(Rule::Invalid, why));
    }
    drafts
}

/// "proposal 3 (shop#7)".
fn name(what: &str, place: usize, entry: &Value) -> String {
    let number = place + 1;
    match issue_of(entry) {
        Some(issue) => format!("{what} {number} ({})", text::line(&issue.to_string(), NAME)),
        None => format!("{what} {number}"),
    }
}

fn invalid(entry: &Value, why: String) -> Refusal {
    let refusal = Refusal::new(Rule::Invalid, why);
    match issue_of(entry) {
        Some(issue) => refusal.of_issue(&issue),
        None => refusal,
    }
}

/// The issue that an entry is about, where it names one that can exist.
fn issue_of(entry: &Value) -> Option<IssueRef> {
    let repo = entry.get("repo")?.as_str()?;
    issue(repo, entry.get("issue")?.as_u64()?).ok()
}

fn issue(repo: &str, number: u64) -> Result<IssueRef, String> {
    let plain = |c: char| !c.is_control() && !c.is_whitespace();
    if repo.is_empty() || repo.len() > 200 || !repo.chars().all(plain) {
        return Err(format!(
            "`{}` is no name of a repository",
            text::line(repo, NAME)
        ));
    }
    if number == 0 {
        return Err("issues are numbered from 1".to_owned());
    }
    Ok(IssueRef {
        repo: RepoName::from(repo),
        number,
    })
}

#[derive(Deserialize)]
#[serde(expecting = "a proposal")]
struct RawProposal {
    machine: String,
    repo: String,
    issue: u64,
    #[serde(default)]
    rationale: String,
    #[serde(default)]
    files: Option<Vec<String>>,
    #[serde(default)]
    notes: Option<String>,
    #[serde(default)]
    size: Option<Size>,
    #[serde(default)]
    model: Option<String>,
}

impl RawProposal {
    fn draft(self) -> Result<ProposalDraft, String> {
        let said = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        Ok(ProposalDraft {
            issue: issue(&self.repo, self.issue)?,
            machine: MachineName::new(self.machine),
            rationale: text::block(&self.rationale),
            files: self.files.unwrap_or_default(),
            notes: said(self.notes).map(|notes| text::block(&notes)),
            size: self.size,
            model: said(self.model),
        })
    }
}

#[derive(Deserialize)]
#[serde(expecting = "a split")]
struct RawSplit {
    repo: String,
    issue: u64,
    #[serde(default)]
    rationale: String,
    chunks: Vec<RawChunk>,
}

#[derive(Deserialize)]
#[serde(expecting = "a part of a split")]
struct RawChunk {
    title: String,
    #[serde(default)]
    scope: String,
    #[serde(default)]
    files: Option<Vec<String>>,
    #[serde(default)]
    after: Option<Vec<usize>>,
}

impl RawSplit {
    fn draft(self) -> Result<SplitDraft, String> {
        let chunk = |it: RawChunk| Chunk {
            title: it.title,
            scope: text::block(&it.scope),
            files: it.files.unwrap_or_default(),
            after: it.after.unwrap_or_default(),
        };
        Ok(SplitDraft {
            issue: issue(&self.repo, self.issue)?,
            rationale: text::block(&self.rationale),
            chunks: self.chunks.into_iter().map(chunk).collect(),
        })
    }
}
