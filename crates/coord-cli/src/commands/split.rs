//! `coord split`: sub-issues out of an issue that a planner finds too large.

use std::ops::ControlFlow;

use clap::Args;
use coord_core::ids::{EffectKey, SplitId};
use coord_core::proposal::Split;
use coord_core::{Board, BoardEvent, Command};
use coord_engine::{Carried, Engine};
use coord_store::HistoryFilter;
use serde_json::{Value, json};

use crate::app::{App, Bench};
use crate::exit;
use crate::failure::Failure;
use crate::postponed;
use crate::printer::{GOOD, Printer, paint, plain};
use crate::proposed::{self, Name};

#[derive(Debug, Args)]
pub(crate) struct SplitArgs {
    /// What to split: `S1,S2`, or one after the other
    #[arg(value_name = "IDS", value_delimiter = ',', required = true)]
    ids: Vec<String>,
    /// Only say which sub-issues there would be
    #[arg(long)]
    dry_run: bool,
}

pub(crate) async fn run(app: &App, args: SplitArgs) -> Result<u8, Failure> {
    let ids = splits(&args.ids)?;
    let Bench { engine, .. } = app.bench().await?;
    let board = engine.store().board().await?;
    let names: Vec<Name> = ids.iter().map(|id| Name::Split(*id)).collect();
    proposed::check(&board, &names)?;
    let wanted = ids.iter().filter_map(|id| board.splits.get(id).cloned());
    let wanted: Vec<Split> = wanted.collect();
    let work = async {
        match args.dry_run {
            true => dry(app.printer, &engine, &wanted).await,
            false => split(app.printer, &engine, &wanted).await,
        }
    };
    let done = app.interruptible(work).await;
    engine.close().await;
    done
}

fn splits(texts: &[String]) -> Result<Vec<SplitId>, Failure> {
    let names = Name::parse_all(texts, |number| Name::Split(SplitId(number)))?;
    let split = |name| match name {
        Name::Split(id) => Ok(id),
        Name::Proposal(id) => Err(Failure::usage(format!("{id} is no split"))
            .with_hint(format!("`coord approve {id}` starts the work"))),
    };
    names.into_iter().map(split).collect()
}

async fn dry(printer: Printer, engine: &Engine, wanted: &[Split]) -> Result<u8, Failure> {
    for it in wanted {
        let decision = engine.decide(&Command::Split { id: it.id }).await?;
        if let Some(refusal) = decision.refusal {
            return Err(refusal.into());
        }
    }
    if printer.is_json() {
        let splits: Vec<Value> = wanted.iter().map(proposed::split_json).collect();
        printer.json(&json!({"dry_run": true, "splits": splits}));
        return Ok(exit::OK);
    }
    for it in wanted {
        printer.line(proposed::split_line(it));
        for (place, chunk) in it.draft.chunks.iter().enumerate() {
            printer.line(format_args!("  {}", proposed::part_line(place, chunk)));
        }
    }
    printer.line("dry run: no issue was opened");
    Ok(exit::OK)
}

async fn split(printer: Printer, engine: &Engine, wanted: &[Split]) -> Result<u8, Failure> {
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    for it in wanted {
        match one(printer, engine, it).await {
            Ok(created) => {
                let result = (it, created);
                if !printer.is_json() {
                    print(printer, &result);
                }
                done.push(json(&result));
            }
            Err(failure) if wanted.len() == 1 => return Err(failure),
            Err(failure) => {
                printer.note(format_args!("{}: {}", it.id, failure.render()));
                failed.push(json!({"split": it.id.to_string(), "failed": failure.json()}));
            }
        }
    }
    let code = match failed.is_empty() {
        true => exit::OK,
        false => exit::FAILED,
    };
    if printer.is_json() {
        printer.json(&json!({"splits": done, "failed": failed}));
    }
    Ok(code)
}

/// Has the sub-issues opened, however long that takes; the answer are their numbers.
async fn one(printer: Printer, engine: &Engine, it: &Split) -> Result<Vec<u64>, Failure> {
    let committed = engine.command(Command::Split { id: it.id }).await?;
    if let Some(refusal) = committed.refusal {
        return Err(refusal.into());
    }
    // Where somebody else has begun with it, it goes on here.
    if let Some(key) = under_way(&committed.board, it.id) {
        for carried in engine.carry_out_now(std::slice::from_ref(key)).await? {
            if let Carried::Postponed { key, until, error } = carried {
                printer.note(postponed::sentence(&key, until, &error));
            }
        }
        let enough = |board: &Board| match under_way(board, it.id) {
            None => ControlFlow::Break(()),
            Some(_) => ControlFlow::Continue(()),
        };
        if enough(&*engine.store().board().await?).is_continue() {
            engine.drive(enough, |_| {}).await?;
        }
    }
    outcome(engine, it).await
}

fn under_way(board: &Board, id: SplitId) -> Option<&EffectKey> {
    board.splits.get(&id)?.under_way.as_ref()
}

/// How it ended, by the last word of the log.
async fn outcome(engine: &Engine, it: &Split) -> Result<Vec<u64>, Failure> {
    let filter = HistoryFilter {
        kinds: ["split_done", "split_failed"].map(str::to_owned).to_vec(),
        since: Some(it.proposed_at),
        ..HistoryFilter::default()
    };
    let events = engine.store().history(filter).await?;
    for recorded in events.into_iter().rev() {
        match recorded.event {
            BoardEvent::SplitDone { split, created, .. } if split == it.id => return Ok(created),
            BoardEvent::SplitFailed { split, error } if split == it.id => {
                let (id, issue) = (it.id, &it.draft.issue);
                let why = format!("{issue} could not be split: {}", plain(&error));
                return Err(Failure::failed(why).with_hint(format!(
                    "put that right, then `coord split {id}` again: what is there is not opened twice"
                )));
            }
            _ => {}
        }
    }
    Err(Failure::failed(format!(
        "{} was put aside meanwhile",
        it.id
    )))
}

fn print(printer: Printer, (it, created): &(&Split, Vec<u64>)) {
    let issue = &it.draft.issue;
    printer.line(format_args!(
        "{} {issue} {}",
        paint(GOOD, "split"),
        plain(&it.title)
    ));
    for (number, chunk) in created.iter().zip(&it.draft.chunks) {
        let after = chunk.after.iter().filter_map(|place| created.get(*place));
        let after: Vec<String> = after.map(|number| format!("#{number}")).collect();
        let after = match after.is_empty() {
            true => String::new(),
            false => format!(" (after {})", after.join(", ")),
        };
        printer.line(format_args!("  #{number} {}{after}", plain(&chunk.title)));
    }
}

fn json((it, created): &(&Split, Vec<u64>)) -> Value {
    let parts = created.iter().zip(&it.draft.chunks);
    let parts: Vec<Value> = parts
        .map(|(number, chunk)| {
            let after: Vec<&u64> = chunk
                .after
                .iter()
                .filter_map(|it| created.get(*it))
                .collect();
            json!({"number": number, "title": chunk.title, "after": after})
        })
        .collect();
    json!({"split": it.id.to_string(), "issue": it.draft.issue, "created": parts})
}
