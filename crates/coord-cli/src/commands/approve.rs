//! `coord approve`: assignments out of what a planner has proposed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use coord_core::assignment::{Goal, Waivers};
use coord_core::ids::ProposalId;
use coord_engine::{ApproveInput, Engine};
use serde_json::{Value, json};

use crate::app::{App, Bench};
use crate::commands::assign::{Started, assigned, hand_over, headline};
use crate::exit;
use crate::failure::Failure;
use crate::given;
use crate::printer::Printer;
use crate::proposed::{self, Name};
use crate::start::StartArgs;

#[derive(Debug, Args)]
pub(crate) struct ApproveArgs {
    /// What to approve: `P1,P2`, or one after the other
    #[arg(value_name = "IDS", value_delimiter = ',', conflicts_with = "all")]
    ids: Vec<String>,
    /// Everything that is proposed
    #[arg(long)]
    all: bool,
    /// A file with what to do instead of what the issue says; `-` is stdin. May be given again
    #[arg(long, value_name = "ID=FILE")]
    briefing: Vec<String>,
    #[command(flatten)]
    start: StartArgs,
}

pub(crate) async fn run(app: &App, args: ApproveArgs) -> Result<u8, Failure> {
    if args.ids.is_empty() && !args.all {
        return Err(Failure::usage("nothing is named that is to be approved")
            .with_hint("`coord approve P1,P2` approves these, `coord approve --all` everything"));
    }
    let ids = proposals(&args.ids)?;
    let files = files(&args.briefing)?;
    let Bench { config, engine } = app.bench().await?;
    let board = engine.store().board().await?;
    let ids = match args.all {
        true => board.proposals.keys().copied().collect(),
        false => ids,
    };
    let names: Vec<Name> = ids.iter().map(|id| Name::Proposal(*id)).collect();
    proposed::check(&board, &names)?;
    let approval = Approval {
        engine: &engine,
        printer: app.printer,
        briefings: read(files, &ids)?,
        start: args.start,
        goal: config.pipeline.goal,
    };
    let done = app.interruptible(approval.all(&ids)).await;
    engine.close().await;
    done
}

fn proposals(texts: &[String]) -> Result<Vec<ProposalId>, Failure> {
    let names = Name::parse_all(texts, |number| Name::Proposal(ProposalId(number)))?;
    let proposal = |name| match name {
        Name::Proposal(id) => Ok(id),
        Name::Split(id) => Err(Failure::usage(format!("{id} is a split"))
            .with_hint(format!("`coord split {id}` opens its sub-issues"))),
    };
    names.into_iter().map(proposal).collect()
}

/// Which file says what for which proposal.
fn files(texts: &[String]) -> Result<BTreeMap<ProposalId, PathBuf>, Failure> {
    let mut files = BTreeMap::new();
    for text in texts {
        let (id, file) = text
            .split_once('=')
            .filter(|(_, file)| !file.is_empty())
            .ok_or_else(|| {
                Failure::usage(format!("`{text}` is not ID=FILE, such as P1=briefing.md"))
            })?;
        for id in proposals(&[id.to_owned()])? {
            if files.insert(id, PathBuf::from(file)).is_some() {
                return Err(Failure::usage(format!("{id} has two briefings")));
            }
        }
    }
    if files
        .values()
        .filter(|file| file.as_os_str() == "-")
        .count()
        > 1
    {
        return Err(Failure::usage(
            "stdin can only be the briefing of one proposal",
        ));
    }
    Ok(files)
}

/// All of them are read before anything is done.
fn read(
    files: BTreeMap<ProposalId, PathBuf>,
    ids: &[ProposalId],
) -> Result<BTreeMap<ProposalId, String>, Failure> {
    let mut briefings = BTreeMap::new();
    for (id, file) in files {
        if !ids.contains(&id) {
            return Err(Failure::usage(format!(
                "there is a briefing for {id}, which is not to be approved"
            )));
        }
        let text = given::all_of(&file)?;
        if text.trim().is_empty() {
            return Err(Failure::usage(format!("the briefing for {id} is empty")));
        }
        briefings.insert(id, text);
    }
    Ok(briefings)
}

/// How proposals are to be approved.
struct Approval<'a> {
    engine: &'a Engine,
    printer: Printer,
    briefings: BTreeMap<ProposalId, String>,
    start: StartArgs,
    goal: Goal,
}

impl Approval<'_> {
    /// One after the other: each is a decision of its own, and one that is refused holds up none.
    async fn all(&self, ids: &[ProposalId]) -> Result<u8, Failure> {
        if let [id] = ids {
            let approved = self.one(*id).await?;
            if self.printer.is_json() {
                self.printer
                    .json(&json!({"approved": [approved], "refused": []}));
            }
            return Ok(exit::OK);
        }
        let (mut approved, mut refused) = (Vec::new(), Vec::new());
        for id in ids {
            match self.one(*id).await {
                Ok(value) => approved.push(value),
                Err(failure) => {
                    self.printer
                        .note(format_args!("{id}: {}", failure.render()));
                    refused.push(json!({"proposal": id.to_string(), "failed": failure.json()}));
                }
            }
        }
        let code = match refused.is_empty() {
            true => exit::OK,
            false => exit::FAILED,
        };
        if self.printer.is_json() {
            self.printer
                .json(&json!({"approved": approved, "refused": refused}));
        } else if ids.is_empty() {
            self.printer
                .note("nothing is proposed; `coord plan` proposes");
        }
        Ok(code)
    }

    /// Tells people at once, and programs at the end.
    async fn one(&self, id: ProposalId) -> Result<Value, Failure> {
        match self.start.dry_run {
            true => self.dry(id).await,
            false => self.approve(id).await,
        }
    }

    async fn approve(&self, id: ProposalId) -> Result<Value, Failure> {
        let committed = self.engine.approve(id, self.input(id)).await?;
        let carried = hand_over(self.engine, &committed).await?;
        if let Some(refusal) = committed.refusal {
            return Err(refusal.into());
        }
        let started = Started::of(&committed, &carried)?;
        if !self.printer.is_json() {
            self.printer.line(id);
            started.print(self.printer);
        }
        Ok(named(id, started.json()))
    }

    async fn dry(&self, id: ProposalId) -> Result<Value, Failure> {
        let decision = self.engine.approve_dry(id, self.input(id)).await?;
        if let Some(refusal) = decision.refusal {
            return Err(refusal.into());
        }
        if !self.printer.is_json() {
            self.printer.line(id);
            for assignment in decision.events.iter().filter_map(assigned) {
                self.printer.line(headline(assignment));
            }
            self.printer.line("→ dry run: nothing was dispatched");
        }
        let effects: Vec<_> = decision.effects.iter().map(|it| &it.effect).collect();
        let value = json!({"dry_run": true, "events": decision.events, "effects": effects});
        Ok(named(id, value))
    }

    fn input(&self, id: ProposalId) -> ApproveInput {
        ApproveInput {
            briefing: self.briefings.get(&id).cloned(),
            when_blocked: self.start.when_blocked(),
            waivers: Waivers {
                ignore_deps: self.start.ignore_deps,
                ..Waivers::default()
            },
            goal: self.start.goal(self.goal),
            freshness: self.start.freshness(),
        }
    }
}

fn named(id: ProposalId, mut value: Value) -> Value {
    if let Some(object) = value.as_object_mut() {
        object.insert("proposal".to_owned(), json!(id.to_string()));
    }
    value
}
