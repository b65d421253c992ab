//! `coord status`: machines, assignments, the merge queue, what is proposed, what is blocked or going
//! to conflict, and what is known of GitHub. GitHub is asked only with `--sync` or `--freshness`.

mod freshness;
mod keeping_apart;
mod proposals;

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use coord_core::assignment::{Assignment, AssignmentState};
use coord_core::ids::{AssignmentId, IssueRef, MachineName, RepoName, Timestamp};
use coord_core::issue::IssueState;
use coord_core::session::Waiting;
use coord_core::{Board, Policy, gates};
use coord_engine::{AgentView, Engine, RepoFreshness, now};
use coord_store::FinishedFilter;
use serde_json::{Value, json};

use crate::app::{App, Bench};
use crate::blocked::{self, BlockedIssue, BlockedRepo};
use crate::budget::Budget;
use crate::commands::sync::Outcomes;
use crate::describe::{self, count};
use crate::exit;
use crate::failure::Failure;
use crate::postponed::Postponed;
use crate::printer::{BAD, FAINT, GOOD, Printer, WARN, paint, plain};
use crate::time::{clock, span};
use crate::waiting;
use keeping_apart::KeepingApart;

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Only this machine
    #[arg(long, value_name = "NAME")]
    machine: Option<MachineName>,
    /// How many finished issues to show; with --json, assignments
    #[arg(long, value_name = "N", default_value_t = 5)]
    finished: u32,
    /// Compare the checkouts of each machine with the forge
    #[arg(long)]
    freshness: bool,
    /// Read what is on GitHub into the mirror first
    #[arg(long)]
    sync: bool,
}

pub(crate) async fn run(app: &App, args: StatusArgs) -> Result<u8, Failure> {
    let Bench { engine, .. } = app.bench().await?;
    if let Some(machine) = &args.machine
        && !engine.policy().machines.contains_key(machine)
    {
        return Err(Failure::usage(format!(
            "there is no machine `{machine}` in the configuration"
        ))
        .with_hint("`coord config` shows the machines"));
    }
    let synced = if args.sync {
        let synced = Outcomes::gather(&engine, None).await;
        synced.print_failures(app.printer);
        Some(synced)
    } else {
        None
    };
    let views = engine.look(args.machine.as_ref()).await?;
    let status = Status::gather(&engine, views, &args).await?;
    engine.close().await;
    if app.printer.is_json() {
        let mut answer = status.json();
        if let (Some(synced), Some(object)) = (&synced, answer.as_object_mut()) {
            object.insert("synced".to_owned(), synced.json());
        }
        app.printer.json(&answer);
    } else {
        status.print(app.printer);
    }
    Ok(synced.map_or(exit::OK, |synced| synced.code()))
}

/// How many assignments an issue may have had, on average, so that none is missing.
const ATTEMPTS: u32 = 10;

struct Status<'e> {
    policy: &'e Policy,
    board: std::sync::Arc<Board>,
    views: Vec<AgentView>,
    assignments: Vec<Assignment>,
    /// For programs: every assignment.
    finished: Vec<Assignment>,
    /// For people.
    outcomes: Vec<Assignment>,
    mirrors: Vec<MirrorView>,
    postponed: Postponed,
    waiting: Vec<Waiting>,
    blocked: Vec<BlockedRepo>,
    blocked_issues: Vec<BlockedIssue>,
    apart: KeepingApart,
    budget: Budget,
    freshness: Option<Vec<RepoFreshness>>,
    now: Timestamp,
}

/// What the mirror has of one repository.
struct MirrorView {
    repo: RepoName,
    open: usize,
    synced_at: Option<Timestamp>,
}

impl<'e> Status<'e> {
    async fn gather(
        engine: &'e Engine,
        views: Vec<AgentView>,
        args: &StatusArgs,
    ) -> Result<Self, Failure> {
        let board = engine.store().board().await?;
        let wanted = |a: &&Assignment| args.machine.as_ref().is_none_or(|m| *m == a.machine);
        let mut assignments: Vec<Assignment> =
            board.assignments.values().filter(wanted).cloned().collect();
        assignments.sort_by_key(|a| a.requested_at);
        let assignments = with_their_readers(assignments);
        let filter = FinishedFilter {
            limit: Some(args.finished.saturating_mul(ATTEMPTS)),
            ..FinishedFilter::default()
        };
        let finished = engine.store().finished(filter).await?;
        let mut finished: Vec<Assignment> = finished.into_iter().filter(|a| wanted(&a)).collect();
        let shown = usize::try_from(args.finished).unwrap_or(usize::MAX);
        let outcomes = outcomes(&finished).into_iter().take(shown).collect();
        finished.truncate(shown);
        let mut waiting = board.waiting_for_a_person(engine.policy(), now());
        waiting.retain(|it| assignments.iter().any(|a| a.issue == it.issue));
        let shown: BTreeSet<&AssignmentId> = assignments.iter().map(|it| &it.id).collect();
        let apart = KeepingApart::read(engine, &board, |id| shown.contains(id)).await?;
        let freshness = match args.freshness {
            true => Some(engine.freshness(args.machine.as_ref()).await),
            false => None,
        };
        Ok(Self {
            policy: engine.policy(),
            views,
            assignments,
            finished,
            outcomes,
            mirrors: MirrorView::all(engine).await?,
            postponed: Postponed::read(engine.store()).await?,
            waiting,
            blocked: blocked::repos(&board, engine.policy()),
            blocked_issues: blocked::issues(engine).await?,
            apart,
            board,
            budget: Budget::read(engine.store(), now()).await?,
            freshness,
            now: now(),
        })
    }

    fn queue(&self) -> Vec<&Assignment> {
        self.assignments
            .iter()
            .filter(|a| a.merge.is_some() && a.superseded_by.is_none())
            .collect()
    }

    fn json(&self) -> Value {
        let machines: Vec<Value> = self
            .views
            .iter()
            .map(|view| self.machine_json(view))
            .collect();
        let assignments: Vec<Value> = self
            .assignments
            .iter()
            .map(|a| self.assignment_json(a))
            .collect();
        let queue: Vec<_> = self.queue().iter().map(|a| &a.id).collect();
        let mirrors: Vec<Value> = self.mirrors.iter().map(MirrorView::json).collect();
        let mut value = json!({"machines": machines, "assignments": assignments, "queue": queue,
            "blocked": self.blocked, "blocked_issues": self.blocked_issues,
            "proposals": proposals::proposals_json(&self.board),
            "splits": proposals::splits_json(&self.board),
            "conflicts": self.apart.conflicts_json(), "denials": self.apart.denials_json(),
            "finished": self.finished, "mirrors": mirrors, "waiting": self.waiting,
            "postponed": self.postponed.json(), "rate_limits": self.budget.json()});
        if let (Some(freshness), Some(object)) = (&self.freshness, value.as_object_mut()) {
            object.insert("freshness".to_owned(), freshness::json(freshness));
        }
        value
    }

    fn machine_json(&self, view: &AgentView) -> Value {
        let policy = self.policy.machines.get(&view.machine);
        let silent = self
            .board
            .machines
            .get(&view.machine)
            .and_then(|facts| facts.silent_since);
        match &view.answer {
            Ok((health, _)) => {
                json!({"machine": view.machine, "reachable": true, "health": health,
                    "limited_until": self.limited_until(&view.machine)})
            }
            Err(error) => json!({"machine": view.machine, "reachable": false,
                "error": error.to_string(), "silent_since": silent,
                "max_workers": policy.map(|p| p.max_workers)}),
        }
    }

    fn assignment_json(&self, assignment: &Assignment) -> Value {
        let live = self
            .views
            .iter()
            .find_map(|view| view.active(&assignment.id));
        let mut value = json!(assignment);
        if let Some(object) = value.as_object_mut() {
            if assignment.kind.writes() {
                let gates = gates(&self.board, self.policy, assignment);
                object.insert("gates".to_owned(), json!(gates));
            }
            if let Some(row) = live {
                let live = json!({"turns": row.turns, "cost_usd": row.cost_so_far,
                    "last_tool": row.last_tool, "model": row.model_used, "progress": row.progress});
                object.insert("live".to_owned(), live);
            }
        }
        value
    }

    fn print(&self, printer: Printer) {
        let rows = self
            .views
            .iter()
            .map(|view| self.machine_row(view))
            .collect();
        printer.table(&["machine", "agent", "slots", "repositories"], rows);
        if self.assignments.is_empty() {
            printer.line("\nno assignments; `coord assign MACHINE REPO ISSUE` makes one");
        } else {
            printer.line("");
            let rows = self.assignments.iter().map(|a| self.row(a)).collect();
            printer.table(
                &["id", "issue", "title", "machine", "state", "for", "now"],
                rows,
            );
        }
        if !self.queue().is_empty() {
            printer.line("\nmerge queue");
            for entry in self.queue() {
                let closed = gates::first_closed(&self.board, self.policy, entry);
                let why = closed.map(|gate| gate.why);
                let why = why
                    .map(|why| format!(" ({})", plain(&why)))
                    .unwrap_or_default();
                let standing = describe::standing(entry);
                printer.line(format_args!(
                    "  {} {} {standing}{why}",
                    entry.id, entry.issue
                ));
            }
        }
        if !self.waiting.is_empty() {
            printer.line("\nwaits for you");
            for it in &self.waiting {
                printer.line(format_args!("  {}", waiting::line(it)));
            }
        }
        if !self.postponed.is_empty() {
            printer.line("\npostponed; `coord up` or `coord resume` goes on with it");
            self.postponed.print(printer, "  ");
        }
        self.apart.print(printer, &self.board);
        proposals::print(printer, &self.board, self.now);
        let issues: Vec<&BlockedIssue> = self.blocked_issues.iter().collect();
        blocked::print(printer, &self.blocked, &issues);
        if !self.outcomes.is_empty() {
            printer.line("\nlately finished");
            for done in &self.outcomes {
                printer.line(format_args!(
                    "  {} {} {}: {}",
                    done.id,
                    done.issue,
                    describe::job(done),
                    describe::standing(done)
                ));
            }
        }
        if let Some(freshness) = &self.freshness {
            printer.line("");
            freshness::print(printer, freshness);
        }
        if !self.mirrors.is_empty() {
            printer.line("");
        }
        for mirror in &self.mirrors {
            printer.line(mirror.sentence(self.now));
        }
        self.budget.print(printer, self.now);
    }

    /// When the account of the machine may be used again, where it has hit a limit.
    fn limited_until(&self, machine: &MachineName) -> Option<Timestamp> {
        let until = self.board.machines.get(machine)?.limited_until;
        until.filter(|at| *at > self.now)
    }

    fn machine_row(&self, view: &AgentView) -> Vec<String> {
        let policy = self.policy.machines.get(&view.machine);
        let repos: Vec<&str> = policy
            .iter()
            .flat_map(|p| &p.repos)
            .map(RepoName::as_str)
            .collect();
        let (agent, slots) = match &view.answer {
            Ok((health, _)) => {
                let slots = health
                    .slots
                    .map(|s| format!("{} of {} free", s.free, s.max));
                let up = match self.limited_until(&view.machine) {
                    None => paint(GOOD, "up"),
                    Some(at) => paint(WARN, format_args!("up, usage limit until {}", clock(at))),
                };
                (
                    up,
                    slots.unwrap_or_else(|| format!("{} active", health.active)),
                )
            }
            Err(error) => {
                let facts = self.board.machines.get(&view.machine);
                let since = facts.and_then(|facts| facts.silent_since);
                let since = since
                    .map(|at| format!(" for {}", span(at, self.now)))
                    .unwrap_or_default();
                (
                    paint(
                        BAD,
                        format_args!("unknown{since}: {}", plain(&error.to_string())),
                    ),
                    "?".to_owned(),
                )
            }
        };
        vec![view.machine.to_string(), agent, slots, repos.join(", ")]
    }

    fn row(&self, assignment: &Assignment) -> Vec<String> {
        let from = assignment.started_at.unwrap_or(assignment.requested_at);
        let to = assignment.finished_at.unwrap_or(self.now);
        vec![
            assignment.id.to_string(),
            assignment.issue.to_string(),
            describe::job(assignment),
            assignment.machine.to_string(),
            describe::state(assignment),
            span(from, to),
            self.doing(assignment),
        ]
    }

    /// What a running worker does now; how the others stand.
    fn doing(&self, assignment: &Assignment) -> String {
        let live = self
            .views
            .iter()
            .find_map(|view| view.active(&assignment.id));
        let Some(row) = live.filter(|_| assignment.state == AssignmentState::Running) else {
            return match assignment.is_at_work() {
                true => goes_on_with(assignment),
                false => describe::standing(assignment),
            };
        };
        if assignment.superseded_by.is_some() {
            return describe::standing(assignment);
        }
        let mut parts = vec![count(row.turns, "turn"), format!("${:.2}", row.cost_so_far)];
        parts.extend(row.last_tool.clone());
        parts.extend(row.progress.updates.last().cloned());
        let mut text = plain(&parts.join(", "));
        if let Some(question) = &assignment.stuck {
            text = paint(WARN, format_args!("stuck: {}", plain(question)));
        }
        for warning in &row.progress.warnings {
            text.push_str(&paint(WARN, format_args!("; {}", plain(warning))));
        }
        if row.rate_limited {
            text.push_str(&paint(FAINT, "; usage limit"));
        }
        text
    }
}

/// What became of each issue, without every attempt at it and every look.
fn outcomes(finished: &[Assignment]) -> Vec<Assignment> {
    let is_merged = |it: &&Assignment| it.merged_as().is_some();
    let solved: BTreeSet<&IssueRef> = finished
        .iter()
        .filter(is_merged)
        .map(|it| &it.issue)
        .collect();
    let last = finished.iter().filter(|it| {
        let in_vain = !is_merged(it) && solved.contains(&it.issue);
        it.kind.writes() && it.superseded_by.is_none() && !in_vain
    });
    last.cloned().collect()
}

/// Whoever looks at a branch stands below whoever wrote it.
fn with_their_readers(assignments: Vec<Assignment>) -> Vec<Assignment> {
    let writers: BTreeSet<AssignmentId> = assignments
        .iter()
        .filter(|it| it.about.is_none())
        .map(|it| it.id.clone())
        .collect();
    let place = |it: &Assignment| it.about.as_ref().map(|about| about.id.clone());
    let (readers, others): (Vec<_>, Vec<_>) = assignments
        .into_iter()
        .partition(|it| place(it).is_some_and(|id| writers.contains(&id)));
    let mut of: BTreeMap<AssignmentId, Vec<Assignment>> = BTreeMap::new();
    for reader in readers {
        if let Some(id) = place(&reader) {
            of.entry(id).or_default().push(reader);
        }
    }
    let mut ordered = Vec::new();
    for other in others {
        let readers = of.remove(&other.id).unwrap_or_default();
        ordered.push(other);
        ordered.extend(readers);
    }
    ordered
}

fn goes_on_with(assignment: &Assignment) -> String {
    let before = assignment.follows.as_ref();
    before.map_or_else(String::new, |id| format!("goes on with {id}"))
}

impl MirrorView {
    async fn all(engine: &Engine) -> Result<Vec<Self>, Failure> {
        let mut views = Vec::new();
        for repo in engine.policy().repos.keys() {
            let Some(mirror) = engine.mirror(repo) else {
                continue;
            };
            views.push(Self {
                repo: repo.clone(),
                open: mirror.issues(Some(IssueState::Open)).await?.len(),
                synced_at: mirror.synced_at().await?,
            });
        }
        Ok(views)
    }

    fn sentence(&self, now: Timestamp) -> String {
        let repo = &self.repo;
        match self.synced_at {
            None => format!("{repo} was never synced; `coord sync` reads its issues"),
            Some(at) => {
                let open = count(self.open, "open issue");
                let age = span(at, now);
                format!("{repo} had {open} when it was synced {age} ago")
            }
        }
    }

    fn json(&self) -> Value {
        json!({"repo": self.repo, "open_issues": self.open, "synced_at": self.synced_at})
    }
}
