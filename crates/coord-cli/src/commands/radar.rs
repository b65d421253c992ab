//! `coord radar`: which branches are going to conflict with each other or with their base, as they
//! are now.

mod matrix;
mod pair;

use std::convert::Infallible;
use std::io::IsTerminal as _;
use std::ops::ControlFlow;

use clap::Args;
use coord_core::ids::RepoName;
use coord_engine::{Engine, RadarPicture, now};
use serde_json::{Value, json};

use crate::app::{App, Bench, interrupted};
use crate::exit;
use crate::failure::Failure;
use crate::printer::{BAD, FAINT, GOOD, Printer, WARN, paint, plain};
use crate::time::clock;
use matrix::Matrix;
use pair::Pair;

#[derive(Debug, Args)]
pub(crate) struct RadarArgs {
    /// Only this repository
    #[arg(long, value_name = "NAME")]
    repo: Option<RepoName>,
    /// Go on, and show each change
    #[arg(long)]
    watch: bool,
}

pub(crate) async fn run(app: &App, args: RadarArgs) -> Result<u8, Failure> {
    let Bench { engine, .. } = app.bench().await?;
    if let Some(repo) = &args.repo {
        engine.repo(repo)?;
    }
    let done = match args.watch {
        true => watch(app.printer, &engine, args.repo.as_ref()).await,
        false => look(app.printer, &engine, args.repo.as_ref()).await,
    };
    engine.close().await;
    done
}

async fn look(printer: Printer, engine: &Engine, only: Option<&RepoName>) -> Result<u8, Failure> {
    let pictures = engine.radar(only).await?;
    match printer.is_json() {
        true => printer.json(&json(&pictures)),
        false => print(printer, &pictures),
    }
    // Whoever asks for one repository wants to know that one.
    let is_blind = only.is_some() && pictures.iter().any(|it| it.trouble.is_some());
    Ok(if is_blind { exit::FAILED } else { exit::OK })
}

/// Until somebody ends it, which is no failure.
async fn watch(printer: Printer, engine: &Engine, only: Option<&RepoName>) -> Result<u8, Failure> {
    let redraws = !printer.is_json() && std::io::stdout().is_terminal();
    let mut before: Option<Vec<RadarPicture>> = None;
    let show = |pictures: &[RadarPicture]| {
        if printer.is_json() {
            printer.json_line(&json(pictures));
        } else if redraws {
            printer.raw(CLEAR);
            print(printer, pictures);
        } else if let Some(before) = &before {
            print_changes(printer, before, pictures);
        } else {
            print(printer, pictures);
        }
        before = Some(pictures.to_vec());
        ControlFlow::<Infallible>::Continue(())
    };
    tokio::select! {
        watched = engine.watch_radar(only, show) => match watched? {},
        asked = interrupted() => {
            asked?;
            Ok(exit::OK)
        }
    }
}

/// Empties the screen, and goes to its beginning.
const CLEAR: &[u8] = b"\x1b[2J\x1b[H";

fn print(printer: Printer, pictures: &[RadarPicture]) {
    let of_interest = |it: &&RadarPicture| !it.branches.is_empty() || it.trouble.is_some();
    let mut shown = pictures.iter().filter(of_interest).peekable();
    if shown.peek().is_none() {
        printer.line("no branch is being worked on, or waits for its merge");
    }
    let mut is_first = true;
    for picture in shown {
        if !std::mem::take(&mut is_first) {
            printer.line("");
        }
        print_picture(printer, picture);
    }
}

fn print_picture(printer: Printer, picture: &RadarPicture) {
    let matrix = Matrix::new(picture);
    let base = picture
        .base
        .as_ref()
        .map(|base| format!(" at {}", base.short()));
    printer.line(format_args!("{}{}", picture.repo, base.unwrap_or_default()));
    if let Some(trouble) = &picture.trouble {
        let what = paint(WARN, "nothing can be said");
        printer.line(format_args!("{what}: {}", plain(trouble)));
    }
    if !picture.branches.is_empty() {
        matrix.print(printer);
    }
    for pair in Pair::all(picture) {
        printer.line("");
        pair.print(printer);
    }
    let is_clear = picture.pairs.is_empty() && picture.trouble.is_none();
    if is_clear && !picture.branches.is_empty() {
        printer.line(paint(GOOD, "\nno conflicts are foreseen"));
    }
    for branch in &picture.branches {
        if let Err(why) = &branch.head {
            let what = paint(WARN, "could not be looked at");
            printer.line(format_args!(
                "{} {} {what}: {}",
                branch.id,
                branch.issue,
                plain(why)
            ));
        }
    }
}

/// One line for each pair that is new, that changed, or that is gone, and for each trouble.
fn print_changes(printer: Printer, before: &[RadarPicture], now_seen: &[RadarPicture]) {
    let at = paint(FAINT, clock(now()));
    for picture in now_seen {
        let old = before.iter().find(|it| it.repo == picture.repo);
        let old_pairs: Vec<Pair<'_>> = old.into_iter().flat_map(Pair::all).collect();
        let pairs = Pair::all(picture);
        for pair in &pairs {
            if !old_pairs.iter().any(|it| it.is_same(pair)) {
                printer.line(format_args!("{at}  {}", pair.line()));
            }
        }
        for pair in &old_pairs {
            if !pairs.iter().any(|it| it.is_between(pair)) {
                printer.line(format_args!("{at}  {}", pair.gone()));
            }
        }
        let trouble = picture.trouble.as_ref();
        if let Some(trouble) =
            trouble.filter(|it| old.and_then(|old| old.trouble.as_ref()) != Some(it))
        {
            let what = paint(BAD, "nothing can be said");
            printer.line(format_args!(
                "{at}  {} {what}: {}",
                picture.repo,
                plain(trouble)
            ));
        }
    }
}

fn json(pictures: &[RadarPicture]) -> Value {
    let picture = |it: &RadarPicture| {
        let branches: Vec<Value> = it.branches.iter().map(matrix::branch_json).collect();
        let pairs: Vec<Value> = it.pairs.iter().map(pair::json).collect();
        json!({"repo": it.repo, "base": it.base, "branches": branches, "pairs": pairs,
            "trouble": it.trouble})
    };
    pictures.iter().map(picture).collect()
}
