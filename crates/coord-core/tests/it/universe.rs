//! What holds after any sequence of commands and outcomes, in a universe of two repositories,
//! two machines and six issues.

use std::collections::BTreeSet;

use coord_core::assignment::{
    Assignment, AssignmentKind, AssignmentState, Goal, MergeMethod, MergeState, WorkerEnd,
    WorkerResult,
};
use coord_core::command::{
    AgentReport, ClaimEvidence, FixRequest, ServeRequest, SetAside, WhenBlocked,
};
use coord_core::delivery::PullAuthor;
use coord_core::effect::{AnswerSpec, CombinationEntry, Combined, CombinedResult, Effect, Outcome};
use coord_core::failure::FailureClass;
use coord_core::ids::{AssignmentId, CommitId, EffectKey, MachineName, RepoName};
use coord_core::key::EffectKind;
use coord_core::policy::Gate;
use coord_core::scope::Glob;
use coord_core::session::{self, StepResult};
use coord_core::verdict::{ReviewResult, TestResult};
use coord_core::{Board, BoardEvent, Command, Recorded, why};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::world::{World, again, id, issue_ref, request, success};

const MACHINES: [&str; 2] = ["desk", "rack"];
const SCOPES: [&[&str]; 5] = [
    &[],
    &["src/"],
    &["src/lib.rs"],
    &["docs/*.md"],
    &["**/*.rs", "ci/"],
];
const PATHS: [&str; 4] = ["src/lib.rs", "src/a.rs", "docs/a.md", "ci/run"];

/// A command whose subject is picked from what there is when its turn comes.
#[derive(Debug, Clone)]
enum Step {
    Assign {
        issue: u64,
        machine: Option<&'static str>,
        files: &'static [&'static str],
        wait: bool,
        waive: bool,
        goal: Goal,
        foreign: bool,
    },
    Stop(Index),
    Retry {
        of: Index,
        machine: Option<&'static str>,
        guidance: bool,
        resume: bool,
        wait: bool,
    },
    Fix(Index),
    Serve(Index, AssignmentKind),
    Pull(Index, bool),
    Override(Index),
    Guide(Index),
    Stale(&'static str),
    Test(Index),
    Verdict(Index, TestResult),
    Merge {
        only: Option<Index>,
        ordered: bool,
    },
    Report(Index, Word),
    ReportOfTheWrongMachine(Index, Word),
    Outcome(Index, bool),
    /// The branch, or its base, is elsewhere.
    Moved(Index),
    OutcomeOfSomethingElse(Index, Index),
    Silent(&'static str),
    Back(&'static str),
    Sleep(u64),
    CloseSession(bool),
}

#[derive(Debug, Clone)]
enum Word {
    Started,
    Files(Vec<&'static str>),
    Stuck,
    Spent(u8),
    Limited,
    Unknown,
    Done(Vec<&'static str>),
    DoneWithoutCommits,
    Failed,
    Interrupted,
    Misconfigured,
    Cancelled,
}

fn index() -> impl Strategy<Value = Index> {
    any::<Index>()
}

fn some_paths() -> impl Strategy<Value = Vec<&'static str>> {
    proptest::collection::vec(select(&PATHS[..]), 0..3)
}

fn test_result() -> impl Strategy<Value = TestResult> {
    select(vec![
        TestResult::Passed,
        TestResult::Failed,
        TestResult::Skipped,
    ])
}

fn word() -> impl Strategy<Value = Word> {
    prop_oneof![
        3 => Just(Word::Started),
        3 => some_paths().prop_map(Word::Files),
        1 => Just(Word::Stuck),
        2 => (0u8..20).prop_map(Word::Spent),
        1 => Just(Word::Limited),
        1 => Just(Word::Unknown),
        5 => some_paths().prop_map(Word::Done),
        1 => Just(Word::DoneWithoutCommits),
        2 => Just(Word::Failed),
        1 => Just(Word::Interrupted),
        1 => Just(Word::Misconfigured),
        1 => Just(Word::Cancelled),
    ]
}

fn assign() -> impl Strategy<Value = Step> {
    let machine = proptest::option::of(select(&MACHINES[..]));
    let goal = select(vec![Goal::Worked, Goal::Tested, Goal::Merged, Goal::Merged]);
    let flags = (
        any::<bool>(),
        prop::bool::weighted(0.2),
        prop::bool::weighted(0.1),
    );
    (0u64..6, machine, select(&SCOPES[..]), flags, goal).prop_map(
        |(issue, machine, files, (wait, waive, foreign), goal)| Step::Assign {
            issue,
            machine,
            files,
            wait,
            waive,
            goal,
            foreign,
        },
    )
}

fn retry() -> impl Strategy<Value = Step> {
    let machine = proptest::option::of(select(&MACHINES[..]));
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    (index(), machine, flags).prop_map(|(of, machine, (guidance, resume, wait))| Step::Retry {
        of,
        machine,
        guidance,
        resume,
        wait,
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => assign(),
        2 => index().prop_map(Step::Stop),
        4 => retry(),
        2 => index().prop_map(Step::Fix),
        2 => (index(), select(&AssignmentKind::ALL[..])).prop_map(|(it, kind)| Step::Serve(it, kind)),
        1 => (index(), any::<bool>()).prop_map(|(it, review)| Step::Pull(it, review)),
        1 => index().prop_map(Step::Override),
        2 => index().prop_map(Step::Guide),
        2 => select(&MACHINES[..]).prop_map(Step::Stale),
        2 => index().prop_map(Step::Test),
        2 => (index(), test_result()).prop_map(|(it, result)| Step::Verdict(it, result)),
        3 => (proptest::option::of(index()), any::<bool>())
            .prop_map(|(only, ordered)| Step::Merge { only, ordered }),
        12 => (index(), word()).prop_map(|(it, word)| Step::Report(it, word)),
        1 => (index(), word()).prop_map(|(it, word)| Step::ReportOfTheWrongMachine(it, word)),
        20 => (index(), prop::bool::weighted(0.8)).prop_map(|(it, good)| Step::Outcome(it, good)),
        3 => index().prop_map(Step::Moved),
        1 => (index(), index()).prop_map(|(it, other)| Step::OutcomeOfSomethingElse(it, other)),
        1 => select(&MACHINES[..]).prop_map(Step::Silent),
        1 => select(&MACHINES[..]).prop_map(Step::Back),
        2 => (0u64..90_000).prop_map(Step::Sleep),
        1 => any::<bool>().prop_map(Step::CloseSession),
    ]
}

fn judged(spec: &AnswerSpec) -> Outcome {
    let text = String::new();
    match spec.kind {
        AssignmentKind::Pr => Outcome::PullWritten {
            title: "A title".into(),
            body: text,
        },
        AssignmentKind::Review => Outcome::Reviewed {
            result: ReviewResult::Approve,
            summary: text,
            findings: Vec::new(),
        },
        other => panic!("nobody judges the answer of a {}", other.as_str()),
    }
}

fn combined(entry: &CombinationEntry, result: CombinedResult) -> Combined {
    Combined {
        id: entry.id.clone(),
        head: entry.head.clone(),
        result,
    }
}

fn green(entry: &CombinationEntry) -> Combined {
    combined(entry, CombinedResult::Green { tree: None })
}

fn red(entry: &CombinationEntry) -> Combined {
    let (with, note, output) = (None, String::new(), None);
    combined(entry, CombinedResult::Red { with, note, output })
}

/// What a good shell answers.
fn good(effect: &Effect) -> Outcome {
    let note = String::new();
    match effect {
        Effect::Claim { .. } => Outcome::Claimed,
        Effect::ReleaseClaim { .. } => Outcome::ClaimReleased,
        Effect::Dispatch(_) => Outcome::Dispatched,
        Effect::Cancel { .. } => Outcome::CancelDelivered,
        Effect::Guide { .. } => Outcome::Guided,
        Effect::Tell { .. } => Outcome::Told,
        Effect::Split(spec) => Outcome::SplitDone {
            created: (1..).take(spec.chunks.len()).collect(),
        },
        Effect::PostComment(_) => Outcome::CommentPosted,
        Effect::RunTest { .. } => Outcome::Tested {
            result: TestResult::Passed,
            note,
            output: None,
        },
        Effect::Merge { head, .. } => Outcome::Merged {
            commit: head.clone(),
            warning: None,
        },
        Effect::OpenPull { .. } => Outcome::PullOpened { number: 1 },
        Effect::JudgeAnswer(spec) => judged(spec),
        Effect::ReadChecks { .. } => Outcome::ChecksRead { good: true, note },
        Effect::TestCombination { entries, .. } => Outcome::Combined {
            base: CommitId::new("b".repeat(40)),
            results: entries.iter().map(green).collect(),
        },
        Effect::CloseIssue { .. } => Outcome::IssueClosed,
        Effect::RunStep { .. } => Outcome::StepEnded {
            result: StepResult {
                ok: true,
                note,
                file: None,
            },
        },
    }
}

/// What an unlucky one answers.
fn bad(effect: &Effect) -> Outcome {
    let (note, error) = (String::new(), "bad luck".to_owned());
    match effect {
        Effect::RunTest { .. } => Outcome::Tested {
            result: TestResult::Failed,
            note,
            output: None,
        },
        Effect::Merge { head, .. } => Outcome::MergeConflict {
            base: head.clone(),
            paths: vec!["src/lib.rs".into()],
        },
        Effect::Claim { .. } => Outcome::ClaimLost { to: None },
        Effect::JudgeAnswer(_) => Outcome::AnswerInvalid { why: error },
        Effect::ReadChecks { .. } => Outcome::ChecksRead { good: false, note },
        Effect::TestCombination { entries, .. } => Outcome::Combined {
            base: CommitId::new("b".repeat(40)),
            results: entries.iter().map(red).collect(),
        },
        Effect::Dispatch(_)
        | Effect::Cancel { .. }
        | Effect::Guide { .. }
        | Effect::Tell { .. }
        | Effect::Split(_)
        | Effect::ReleaseClaim { .. }
        | Effect::PostComment(_)
        | Effect::OpenPull { .. }
        | Effect::CloseIssue { .. }
        | Effect::RunStep { .. } => Outcome::Failed {
            class: FailureClass::Configuration,
            error,
        },
    }
}

/// What one answers that finds something else than it was told.
fn moved(effect: &Effect) -> Option<Outcome> {
    let elsewhere = || CommitId::new("e".repeat(40));
    Some(match effect {
        Effect::Merge { onto: Some(_), .. } => Outcome::BaseMoved { base: elsewhere() },
        Effect::Merge { onto: None, .. } => Outcome::HeadMoved { head: elsewhere() },
        Effect::TestCombination { entries, .. } => {
            let head = elsewhere();
            let first = entries.first()?;
            Outcome::Combined {
                base: CommitId::new("b".repeat(40)),
                results: vec![combined(first, CombinedResult::HeadMoved { head })],
            }
        }
        _ => return None,
    })
}

fn report(word: &Word, n: u64, world: &World) -> AgentReport {
    let at = world.now;
    let finished = |end: WorkerEnd| AgentReport::Finished {
        at,
        end: Box::new(end),
    };
    let owned = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect();
    match word {
        Word::Started => AgentReport::Started { at, base: None },
        Word::Files(paths) => AgentReport::Files {
            paths: owned(paths),
        },
        Word::Stuck => AgentReport::Stuck {
            question: "?".into(),
        },
        Word::Spent(cents) => AgentReport::Spent {
            cost_usd: f64::from(*cents) / 100.0,
        },
        Word::Limited => AgentReport::RateLimited {
            resets_at: at.plus_secs(600),
        },
        Word::Unknown => AgentReport::Unknown,
        Word::Done(paths) => finished(success(n, paths)),
        Word::DoneWithoutCommits => finished(WorkerEnd::unreported(WorkerResult::Done, None)),
        Word::Failed => {
            let failed = WorkerResult::Failed(FailureClass::Work);
            finished(WorkerEnd {
                cost_usd: 0.123_456_789,
                ..WorkerEnd::unreported(failed, Some("no".into()))
            })
        }
        Word::Interrupted => {
            let retry_at = Some(at.plus_secs(60)).filter(|_| n.is_multiple_of(2));
            let failed = WorkerResult::Failed(FailureClass::Environmental { retry_at });
            finished(WorkerEnd {
                cost_usd: 0.05,
                session: Some("s".into()),
                ..WorkerEnd::unreported(failed, Some("limit".into()))
            })
        }
        Word::Misconfigured => {
            let failed = WorkerResult::Failed(FailureClass::Configuration);
            finished(WorkerEnd::unreported(failed, Some("no such model".into())))
        }
        Word::Cancelled => finished(WorkerEnd::unreported(WorkerResult::Cancelled, None)),
    }
}

struct Universe {
    world: World,
    assigned: u64,
}

impl Universe {
    fn new(shared: bool, auto_reassign: bool, reviews: bool) -> Self {
        let mut world = World::new();
        share(&mut world, shared);
        world.policy.reviews.enabled = reviews;
        world.policy.reviews.auto_dispatch = reviews;
        world.policy.budgets.issue_usd = Some(0.3);
        world.policy.budgets.day_usd = Some(1.0);
        hook(&mut world);
        let rules = &mut world.policy.concurrency;
        rules.auto_reassign = auto_reassign;
        rules.max_retries = 2;
        rules.stale_seconds = 1000;
        Self { world, assigned: 0 }
    }

    /// One of the assignments that were ever asked for, or that came to the board by themselves.
    fn pick(&self, index: &Index) -> u64 {
        let on_board = self.world.board.assignments.keys();
        let by_itself = on_board
            .map(|id| u64::from_str_radix(id.as_str(), 16).unwrap())
            .filter(|n| *n > self.assigned);
        let all: Vec<u64> = (1..=self.assigned.max(1)).chain(by_itself).collect();
        all[index.index(all.len())]
    }

    fn command(&mut self, step: &Step) -> Option<Command> {
        Some(match step {
            Step::Assign {
                issue,
                machine,
                files,
                wait,
                waive,
                goal,
                foreign,
            } => {
                self.assigned += 1;
                let repo = if issue % 2 == 0 { "lib" } else { "app" };
                let mut request = request(self.assigned, repo, 1 + issue / 2, files);
                request.machine = machine.map(MachineName::from);
                request.goal = *goal;
                request.waivers.allow_overlap = *waive;
                request.waivers.ignore_deps = *waive;
                if *wait {
                    request.when_blocked = WhenBlocked::Wait;
                }
                if *foreign {
                    request.evidence = ClaimEvidence::branches(vec!["issue-1-theirs".into()]);
                }
                Command::Assign(Box::new(request))
            }
            Step::Stop(it) => Command::Stop {
                id: id(self.pick(it)),
            },
            Step::Retry {
                of,
                machine,
                guidance,
                resume,
                wait,
            } => {
                let follows = self.pick(of);
                let of = self.world.board.assignments.get(&id(follows));
                let issue = of.map_or_else(|| issue_ref("lib", 1), |it| it.issue.clone());
                self.assigned += 1;
                let mut request = again(self.assigned, follows, &issue);
                request.machine = machine.map(MachineName::from);
                request.guidance = guidance.then(|| "left".to_owned());
                request.resume = *resume;
                if *wait {
                    request.when_blocked = WhenBlocked::Wait;
                }
                Command::Retry(Box::new(request))
            }
            Step::Fix(it) => {
                self.assigned += 1;
                Command::Fix(Box::new(FixRequest {
                    id: id(self.assigned),
                    follows: id(self.pick(it)),
                    machine: None,
                    model: None,
                    guidance: None,
                }))
            }
            Step::Serve(it, kind) => {
                self.assigned += 1;
                Command::Serve(Box::new(ServeRequest {
                    id: id(self.assigned),
                    kind: *kind,
                    about: id(self.pick(it)),
                    machine: None,
                    model: None,
                }))
            }
            Step::Pull(it, review) => Command::OpenPull {
                id: id(self.pick(it)),
                author: match review {
                    true => PullAuthor::Worker,
                    false => PullAuthor::Template,
                },
                review: *review,
            },
            Step::Override(it) => Command::Merge {
                ids: vec![id(self.pick(it))],
                repo: None,
                method: MergeMethod::Squash,
                ordered: false,
                set_aside: Some(SetAside {
                    gates: vec![Gate::Test, Gate::Review],
                    reason: "because".into(),
                }),
            },
            Step::Guide(it) => Command::Guide {
                id: id(self.pick(it)),
                guidance: "left".into(),
            },
            Step::Stale(machine) => Command::AgentStale {
                machine: (*machine).into(),
            },
            Step::Test(it) => Command::Test {
                id: id(self.pick(it)),
            },
            Step::Verdict(it, result) => Command::RecordVerdict {
                id: id(self.pick(it)),
                result: *result,
                note: String::new(),
                output: None,
            },
            Step::Merge { only, ordered } => Command::Merge {
                ids: only.iter().map(|it| id(self.pick(it))).collect(),
                repo: None,
                method: MergeMethod::Squash,
                ordered: *ordered,
                set_aside: None,
            },
            Step::Report(it, word) => {
                let n = self.pick(it);
                Command::Report {
                    machine: self.world.machine_of(n),
                    id: id(n),
                    report: report(word, n, &self.world),
                }
            }
            Step::ReportOfTheWrongMachine(it, word) => {
                let n = self.pick(it);
                let other = MACHINES.map(MachineName::from);
                let machine = self.world.machine_of(n);
                Command::Report {
                    machine: other.into_iter().find(|it| *it != machine)?,
                    id: id(n),
                    report: report(word, n, &self.world),
                }
            }
            Step::Outcome(it, is_good) => {
                let open: Vec<_> = self.world.outbox.values().collect();
                let effect = open.get(it.index(open.len().max(1)))?;
                let outcome = if *is_good { good } else { bad };
                Command::Outcome {
                    key: effect.key.clone(),
                    outcome: outcome(&effect.effect),
                }
            }
            Step::Moved(it) => {
                let open: Vec<_> = self.world.outbox.values().collect();
                let effect = open.get(it.index(open.len().max(1)))?;
                Command::Outcome {
                    key: effect.key.clone(),
                    outcome: moved(&effect.effect)?,
                }
            }
            // Any key there ever was, with the answer to any other effect.
            Step::OutcomeOfSomethingElse(it, other) => {
                let keys: Vec<_> = self.world.keys.iter().collect();
                let open: Vec<_> = self.world.outbox.values().collect();
                Command::Outcome {
                    key: (*keys.get(it.index(keys.len().max(1)))?).clone(),
                    outcome: good(&open.get(other.index(open.len().max(1)))?.effect),
                }
            }
            Step::Silent(machine) => Command::AgentUnreachable {
                machine: (*machine).into(),
                error: "refused".into(),
            },
            Step::Back(machine) => Command::AgentReachable {
                machine: (*machine).into(),
            },
            Step::Sleep(seconds) => {
                self.world.sleep(*seconds);
                Command::Tick
            }
            Step::CloseSession(force) => Command::CloseSession {
                force: *force,
                checkouts: vec!["lib".into(), "app".into()],
            },
        })
    }

    fn take(&mut self, step: &Step) {
        let Some(command) = self.command(step) else {
            return;
        };
        let before = self.world.board.clone();
        let decision = self.world.run(&command);
        if matches!(step, Step::ReportOfTheWrongMachine(..)) {
            assert_eq!(decision.events, [], "{command:?}");
        }
        dispatches_respect_leases(&before, &decision.events, &self.world);
        let again = self.world.decide(&command);
        if matches!(
            command,
            Command::Report { .. } | Command::Outcome { .. } | Command::Tick
        ) {
            assert_eq!(
                (again.events, again.effects),
                (Vec::new(), Vec::new()),
                "{command:?}"
            );
        }
        holds(&self.world);
    }
}

/// Other coordinators work on `app` too.
fn share(world: &mut World, shared: bool) {
    if let Some(app) = world.policy.repos.get_mut(&RepoName::from("app")) {
        app.shared = shared;
    }
}

/// Something runs at the end of rounds and sessions.
fn hook(world: &mut World) {
    let policy = &mut world.policy;
    policy.on_round_complete = vec![session::Step::SummaryReport];
    policy.on_session_end = vec![
        session::Step::CloseMergedIssues,
        session::Step::SummaryReport,
    ];
    policy.housekeeping.pull = true;
}

/// A round is over when nothing is at work, a session when a person says so and something has
/// happened; each step runs once, in order.
fn periods_end_once(world: &World) {
    let mut board = Board::default();
    let mut left: Vec<(u64, session::Step)> = Vec::new();
    for recorded in &world.log {
        let (seq, is_idle) = (recorded.seq, board.at_work().next().is_none());
        match &recorded.event {
            BoardEvent::RoundCompleted { period } => {
                assert!(is_idle, "{seq} although {:?}", board.at_work().next());
                assert_eq!(period.at_work, []);
                left.extend(period.steps.iter().map(|step| (seq, step.clone())));
            }
            BoardEvent::SessionClosed { period } => {
                assert_eq!(Some(period.since), board.session);
                assert_eq!(period.at_work.is_empty(), is_idle);
                left.extend(period.steps.iter().map(|step| (seq, step.clone())));
            }
            BoardEvent::StepEnded { seq, what, .. } => {
                let first = left.iter().position(|(of, _)| of == seq).unwrap();
                assert_eq!(left.remove(first).1, *what);
            }
            _ => {}
        }
        board.apply(recorded);
    }
    let on_board: usize = board.step_runs.values().map(|run| run.left.len()).sum();
    assert_eq!(left.len(), on_board);
}

fn overlap(one: &Assignment, other: &Assignment) -> bool {
    let globs = |it: &Assignment| -> Vec<Glob> {
        it.scope
            .allowed
            .iter()
            .map(|text| Glob::new(text))
            .collect()
    };
    globs(one)
        .iter()
        .any(|mine| globs(other).iter().any(|theirs| mine.overlaps(theirs)))
}

/// Whatever is dispatched overlaps with nobody's lease, unless a person said so.
fn dispatches_respect_leases(before: &Board, events: &[BoardEvent], world: &World) {
    let mut board = before.clone();
    for event in events {
        if let BoardEvent::AssignmentRequested { assignment } = event
            && !assignment.waived.allow_overlap
        {
            let same_repo = |it: &&Assignment| it.issue.repo == assignment.issue.repo;
            let leases = board.assignments.values().filter(|it| it.holds_lease());
            for holder in leases.filter(same_repo) {
                assert!(
                    !overlap(assignment, holder),
                    "{assignment:?} and {holder:?}"
                );
            }
        }
        let (seq, at) = (board.seq + 1, world.now);
        let event = event.clone();
        board.apply(&Recorded { seq, at, event });
    }
}

pub(crate) fn holds(world: &World) {
    let board = &world.board;
    let all: Vec<&Assignment> = board.assignments.values().collect();
    let open = |id: &AssignmentId, kind| board.has_open(id, kind);

    for (i, one) in all.iter().enumerate() {
        for other in &all[i + 1..] {
            let both_write = one.kind.writes() && other.kind.writes();
            let both_active = both_write && one.is_at_work() && other.is_at_work();
            assert!(
                !(both_active && one.issue == other.issue),
                "{one:?} and {other:?}"
            );
            let at_work = |it: &Assignment| it.state.takes_slot() && it.is_at_work();
            let both_at_work = at_work(one) && at_work(other);
            let waived = one.waived.allow_overlap || other.waived.allow_overlap;
            if both_at_work && !waived && one.issue.repo == other.issue.repo {
                assert!(!overlap(one, other), "{one:?} and {other:?}");
            }
        }
        let requested = one.state == AssignmentState::Requested;
        let on_its_way = open(&one.id, EffectKind::Dispatch) || open(&one.id, EffectKind::Claim);
        assert_eq!(requested, on_its_way, "{one:?}");
        let both = open(&one.id, EffectKind::Dispatch) && open(&one.id, EffectKind::Claim);
        assert!(!both, "dispatched before its claim stands: {one:?}");
        let merging = one
            .merge
            .as_ref()
            .is_some_and(|it| it.state == MergeState::Merging);
        assert_eq!(merging, open(&one.id, EffectKind::Merge), "{one:?}");
        recovery_keeps_its_rules(world, one);
        let _ = why(board, &world.policy, &one.issue, world.now);
    }
    for (name, machine) in &world.policy.machines {
        let at_work = all
            .iter()
            .filter(|it| it.machine == *name && it.state.takes_slot());
        assert!(at_work.count() <= machine.max_workers as usize, "{name}");
    }
    for repo in world.policy.repos.keys() {
        let merging = all
            .iter()
            .filter(|it| it.issue.repo == *repo && open(&it.id, EffectKind::Merge));
        assert!(merging.count() <= 1, "{repo}");
    }
    let outbox: BTreeSet<&EffectKey> = world.outbox.keys().collect();
    let steps: Vec<EffectKey> = board.step_runs.iter().map(|(&s, run)| run.key(s)).collect();
    let splits = board.splits.values();
    let splits = splits.filter_map(|it| it.under_way.as_ref());
    let open = board.open_effects.keys().chain(&steps).chain(splits);
    let open: BTreeSet<&EffectKey> = open.collect();
    assert_eq!(outbox, open, "the outbox is what the board says is open");
    assert!(board.step_runs.values().all(|run| !run.left.is_empty()));
    assert!(board.cost_by_day.len() <= 2);
}

/// Who goes on with an assignment comes after it, on the same issue, and alone.
fn recovery_keeps_its_rules(world: &World, one: &Assignment) {
    let board = &world.board;
    let rules = &world.policy.concurrency;
    assert!(one.retries <= rules.max_retries, "{one:?}");
    if let Some(before) = one
        .follows
        .as_ref()
        .and_then(|id| board.assignments.get(id))
    {
        assert_eq!(before.issue, one.issue);
        assert!(
            before.requested_at <= one.requested_at,
            "{before:?} and {one:?}"
        );
        let by_this_one = before.superseded_by.as_ref() == Some(&one.id);
        // Somebody who wanted it merged has taken it back; maybe it was gone on with once more.
        let was_taken_back = before.merge.is_some();
        assert!(by_this_one || was_taken_back, "{before:?} and {one:?}");
    }
    if one.superseded_by.is_some() {
        assert!(!one.holds_lease() && !one.is_in_merge_queue(), "{one:?}");
        let stopped = !one.state.is_active() || one.stop_requested;
        assert!(stopped, "nobody told it that it is not wanted: {one:?}");
    }
    let merged = board
        .of_issue(&one.issue)
        .filter(|it| it.merged_as().is_some());
    assert!(merged.count() <= 1, "merged twice: {one:?}");
    if one.start.session.is_some() {
        let before = one
            .follows
            .as_ref()
            .and_then(|id| board.assignments.get(id));
        assert!(before.is_none_or(|it| it.machine == one.machine), "{one:?}");
    }
}

pub(crate) fn through_json<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
    serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap()
}

/// Every prefix, written down and read again, is the board that it was; and the log, written
/// down and read again, leads from each of them to the same end.
fn replays(world: &World) {
    let mut board = Board::default();
    for recorded in &world.log {
        board = through_json(&board);
        let mut unread = board.clone();
        unread.apply(recorded);
        board.apply(&through_json(recorded));
        assert_eq!(board, unread);
    }
    assert_eq!(board, world.board);
}

/// Answers everything well, in the order of `choices`, until nothing is open and nobody works.
fn drive_to_the_end(world: &mut World, mut choices: impl Iterator<Item = usize>) {
    for _ in 0..2000 {
        let mut next: Vec<Command> = world
            .outbox
            .values()
            .map(|it| Command::Outcome {
                key: it.key.clone(),
                outcome: good(&it.effect),
            })
            .collect();
        let running = world.board.assignments.values();
        next.extend(
            running
                .filter(|it| it.state == AssignmentState::Running)
                .map(|it| {
                    let paths = ["src/lib.rs"];
                    let end = WorkerEnd {
                        head: Some(CommitId::new(format!("head of {}", it.id))),
                        ..success(0, &paths)
                    };
                    Command::Report {
                        machine: it.machine.clone(),
                        id: it.id.clone(),
                        report: AgentReport::Finished {
                            at: world.now,
                            end: Box::new(end),
                        },
                    }
                }),
        );
        if next.is_empty() {
            return;
        }
        let chosen = choices.next().unwrap_or_default() % next.len();
        let _ = world.run(&next[chosen]);
        world.sleep(1);
    }
    panic!("it never ends: {:?}", world.open());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_history_keeps_the_rules(
        steps in proptest::collection::vec(step(), 1..80),
        shared: bool,
        auto_reassign: bool,
        reviews: bool,
    ) {
        let mut universe = Universe::new(shared, auto_reassign, reviews);
        for step in &steps {
            universe.take(step);
        }
        replays(&universe.world);
        periods_end_once(&universe.world);
    }

    #[test]
    fn with_a_fair_shell_everything_is_merged(
        requests in proptest::collection::vec((0u64..6, select(&SCOPES[..])), 1..7),
        choices in proptest::collection::vec(0usize..100, 200),
        shared: bool,
    ) {
        let mut world = World::new();
        share(&mut world, shared);
        hook(&mut world);
        let mut issues = BTreeSet::new();
        for (n, (issue, files)) in (1..).zip(requests) {
            if issues.insert(issue) {
                let repo = if issue % 2 == 0 { "lib" } else { "app" };
                let mut request = request(n, repo, 1 + issue / 2, files);
                request.when_blocked = WhenBlocked::Wait;
                world.assigned(request);
            }
        }
        drive_to_the_end(&mut world, choices.into_iter());
        prop_assert!(world.board.assignments.is_empty(), "{:#?}", world.board);
        let merged = world.log.iter().filter(|it| matches!(it.event, BoardEvent::Merged { .. }));
        prop_assert_eq!(merged.count(), issues.len());
        periods_end_once(&world);
        prop_assert!(world.board.step_runs.is_empty(), "{:?}", world.board.step_runs);
        let rounds = world.log.iter().filter(|it| matches!(it.event, BoardEvent::RoundCompleted { .. }));
        prop_assert_eq!(rounds.count(), 1);
        replays(&world);
    }
}
