//! `coord usage`: what the work has cost, by issue, repository, model, stage and day. It reads the
//! store only; what workers that still run have cost so far is not in it.

use std::collections::BTreeSet;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use coord_core::ids::RepoName;
use coord_engine::now;
use coord_store::{Breakdown, Usage, UsageBy, UsageFilter, UsageKey, UsageReport};
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::describe::count;
use crate::exit;
use crate::failure::Failure;
use crate::printer::{FAINT, Printer, STRONG, paint, plain};
use crate::time;

#[derive(Debug, Args)]
pub(crate) struct UsageArgs {
    /// Only this breakdown
    #[arg(long, value_parser = by())]
    by: Option<UsageBy>,
    /// Only what ended from this time on: a date (UTC), or a span such as 7d
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only this repository
    #[arg(long, value_name = "NAME")]
    repo: Option<RepoName>,
    /// How many rows of each breakdown at most: the most expensive ones, or the latest days
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: u32,
}

/// What a lead wants to see first.
const AT_A_GLANCE: [UsageBy; 3] = [UsageBy::Stage, UsageBy::Repo, UsageBy::Day];

fn by() -> impl TypedValueParser<Value = UsageBy> {
    let named = |word: String| UsageBy::ALL.into_iter().find(|by| by.as_str() == word);
    PossibleValuesParser::new(UsageBy::ALL.map(UsageBy::as_str))
        .try_map(move |word| named(word).ok_or("there is no such breakdown"))
}

pub(crate) async fn run(app: &App, args: UsageArgs) -> Result<u8, Failure> {
    let (_, config) = app.config()?;
    let store = App::store().await?;
    if let Some(repo) = &args.repo {
        let names = config.repos.iter().map(|repo| &repo.name);
        known(repo, names, store.used_repos().await?)?;
    }
    let since = args.since.as_deref();
    let since = since.map(|text| time::parse_utc(text, now())).transpose();
    let filter = UsageFilter {
        repo: args.repo,
        since: since.map_err(Failure::usage)?,
    };
    let by = match args.by {
        Some(by) => vec![by],
        None if app.printer.is_json() => UsageBy::ALL.to_vec(),
        None => AT_A_GLANCE.to_vec(),
    };
    let report = store.usage(filter.clone(), by, args.limit).await?;
    if app.printer.is_json() {
        app.printer.json(&report_json(&filter, &report));
    } else {
        print(app.printer, &filter, &report);
    }
    Ok(exit::OK)
}

/// A repository counts that is in the configuration, or was when something ended in it.
fn known<'a>(
    repo: &RepoName,
    configured: impl Iterator<Item = &'a RepoName>,
    used: Vec<RepoName>,
) -> Result<(), Failure> {
    let names: BTreeSet<RepoName> = configured.cloned().chain(used).collect();
    if names.contains(repo) {
        return Ok(());
    }
    let names: Vec<&str> = names.iter().map(RepoName::as_str).collect();
    Err(Failure::usage(format!("there is no repository `{repo}`"))
        .with_hint(format!("known are {}", names.join(", "))))
}

fn report_json(filter: &UsageFilter, report: &UsageReport) -> Value {
    let by: Map<String, Value> = report
        .breakdowns
        .iter()
        .map(|it| (it.by.as_str().to_owned(), breakdown_json(it)))
        .collect();
    json!({"repo": filter.repo, "since": filter.since, "running": report.running,
        "total": sums_json(&report.total, true), "by": by})
}

fn breakdown_json(breakdown: &Breakdown) -> Value {
    let rows = breakdown.rows.iter().map(|(key, usage)| {
        let mut row = key_json(key);
        row.append(&mut sums_json(usage, breakdown.by.keeps_issues_whole()));
        row
    });
    let rows: Vec<Map<String, Value>> = rows.collect();
    json!({"rows": rows, "left_out": breakdown.left_out})
}

fn key_json(key: &UsageKey) -> Map<String, Value> {
    let pairs: &[(&str, Value)] = &match key {
        UsageKey::Issue(issue) => vec![("repo", json!(issue.repo)), ("issue", json!(issue.number))],
        UsageKey::Repo(repo) => vec![("repo", json!(repo))],
        UsageKey::Model(model) => vec![("model", json!(model))],
        UsageKey::Stage(kind, fate) => vec![("kind", json!(kind)), ("fate", json!(fate))],
        UsageKey::Day(day) => vec![("day", json!(time::day(*day)))],
    };
    let own = |(name, value): &(&str, Value)| ((*name).to_owned(), value.clone());
    pairs.iter().map(own).collect()
}

fn sums_json(usage: &Usage, whole_issues: bool) -> Map<String, Value> {
    let usd = |micros: u64| json!(micros as f64 / 1e6);
    let pairs = [
        ("assignments", json!(usage.assignments)),
        ("done", json!(usage.done)),
        ("failed", json!(usage.failed)),
        ("cancelled", json!(usage.cancelled)),
        ("lost", json!(usage.lost)),
        ("merged", json!(usage.merged)),
        ("turns", json!(usage.turns)),
        ("cost_usd", usd(usage.cost_micros)),
        ("merged_issues_usd", usd(usage.solved_micros)),
        ("unmerged_issues_usd", usd(usage.unsolved_micros())),
    ];
    let each = usage.micros_per_merged().map(usd);
    let each = whole_issues.then(|| ("usd_per_merged", each.unwrap_or_default()));
    let pairs = pairs.into_iter().chain(each);
    pairs
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn print(printer: Printer, filter: &UsageFilter, report: &UsageReport) {
    let total = &report.total;
    printer.line(headline(filter, total));
    if let Some(each) = total.micros_per_merged() {
        printer.line(format_args!(
            "{} for {}: {} each, failed attempts included",
            usd(total.solved_micros),
            count(total.merged, "merged pull request"),
            usd(each)
        ));
    }
    if total.unsolved_micros() > 0 {
        let unsolved = usd(total.unsolved_micros());
        printer.line(format_args!("{unsolved} for issues without merged work"));
    }
    if report.running > 0 {
        printer.line(format_args!("{} running, not counted", report.running));
    }
    for breakdown in report.breakdowns.iter().filter(|it| !it.rows.is_empty()) {
        printer.line("");
        print_breakdown(printer, breakdown);
    }
}

fn headline(filter: &UsageFilter, total: &Usage) -> String {
    let repo = filter.repo.iter().map(|repo| format!(" in {repo}"));
    let since = filter
        .since
        .iter()
        .map(|at| format!(" since {}", time::minute_utc(*at)));
    let range: String = repo.chain(since).collect();
    if total.assignments == 0 {
        return format!("no assignment has ended{range}");
    }
    format!(
        "{}{range}: {}, {}",
        count(total.assignments, "assignment"),
        paint(STRONG, usd(total.cost_micros)),
        count(total.turns, "turn")
    )
}

fn print_breakdown(printer: Printer, breakdown: &Breakdown) {
    let header = [
        title(breakdown.by),
        "ended",
        "done",
        "failed",
        "cancelled",
        "lost",
        "merged",
        "turns",
        "cost",
        "per merged",
    ];
    let columns = if breakdown.by.keeps_issues_whole() {
        header.len()
    } else {
        header.len() - 1
    };
    let rows = breakdown.rows.iter().map(|(key, usage)| {
        let mut row = row(key, usage);
        row.truncate(columns);
        row
    });
    printer.table(&header[..columns], rows.collect());
    if breakdown.left_out > 0 {
        let more = format!("and {} more; `--limit` shows them", breakdown.left_out);
        printer.line(paint(FAINT, more));
    }
}

const fn title(by: UsageBy) -> &'static str {
    match by {
        UsageBy::Issue => "issue",
        UsageBy::Repo => "repository",
        UsageBy::Model => "model",
        UsageBy::Stage => "stage",
        UsageBy::Day => "day (UTC)",
    }
}

fn row(key: &UsageKey, usage: &Usage) -> Vec<String> {
    let numbers = [
        usage.assignments,
        usage.done,
        usage.failed,
        usage.cancelled,
        usage.lost,
        usage.merged,
        usage.turns,
    ];
    let each = usage.micros_per_merged().map_or("-".to_owned(), usd);
    std::iter::once(name(key))
        .chain(numbers.map(|number| number.to_string()))
        .chain([usd(usage.cost_micros), each])
        .collect()
}

fn name(key: &UsageKey) -> String {
    match key {
        UsageKey::Issue(issue) => plain(&issue.to_string()),
        UsageKey::Repo(repo) => plain(repo.as_str()),
        UsageKey::Model(Some(model)) => plain(model),
        UsageKey::Model(None) => "the worker's choice".to_owned(),
        UsageKey::Stage(kind, fate) => {
            format!("{}: {}", kind.as_str(), fate.as_str()).replace('_', " ")
        }
        UsageKey::Day(day) => time::day(*day),
    }
}

/// `$1.42`.
fn usd(micros: u64) -> String {
    let cents = (micros + 5_000) / 10_000;
    format!("${}.{:02}", cents / 100, cents % 100)
}
