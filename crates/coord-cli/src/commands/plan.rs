//! `coord plan`: what could be worked on next, by whom, as a proposal that a person approves.

mod model;
mod show;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use clap::{Args, ValueEnum};
use coord_config::{Config, PlannerChoice};
use coord_core::ids::RepoName;
use coord_engine::{BrainSettings, Engine, PlanInput, PlanOutcome, PlanProgress, PlanWith};
use coord_worker::ask::is_installed;
use coord_worker::launch::Supervisor;
use tokio::time::MissedTickBehavior;

use crate::app::{App, Bench, interrupted};
use crate::describe::count;
use crate::exit;
use crate::failure::{Failure, io};
use crate::live_line::LiveLine;
use crate::printer::plain;
use show::Shown;

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// Who plans; the default is the configuration's `plan.planner`
    #[arg(long, value_enum)]
    planner: Option<PlannerName>,
    /// Only issues of this repository; may be given again
    #[arg(long, value_name = "NAME", num_args = 1..)]
    repo: Vec<RepoName>,
    /// Let the model read the repositories first
    #[arg(long, overrides_with = "no_explore")]
    explore: bool,
    /// Let the model know the issues only
    #[arg(long)]
    no_explore: bool,
    /// The model that is asked
    #[arg(long)]
    model: Option<String>,
    /// Read what is on GitHub into the mirror first
    #[arg(long)]
    sync: bool,
    /// Only show the plan: what was proposed before stands
    #[arg(long)]
    dry_run: bool,
}

/// Who plans.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum PlannerName {
    /// A model; rules where it fails
    Brain,
    /// Rules: no model is asked
    Rules,
}

pub(crate) async fn run(app: &App, args: PlanArgs) -> Result<u8, Failure> {
    let Bench { config, engine } = app.bench().await?;
    for repo in &args.repo {
        engine.repo(repo)?;
    }
    let input = args.input(&config)?;
    let done = tokio::select! {
        planned = plan(app, &engine, input) => planned,
        asked = interrupted() => {
            asked?;
            let stands = "interrupted: nothing was planned, and what was proposed before stands";
            app.printer.note(stands);
            Ok(exit::INTERRUPTED)
        }
    };
    engine.close().await;
    done
}

async fn plan(app: &App, engine: &Engine, input: PlanInput) -> Result<u8, Failure> {
    let dry_run = input.dry_run;
    let outcome = think(app, engine, input).await?;
    let shown = Shown::gather(engine, outcome, dry_run).await?;
    match app.printer.is_json() {
        true => app.printer.json(&shown.json()),
        false => shown.print(app.printer),
    }
    Ok(exit::OK)
}

/// How often it is shown that time goes by.
const TICK: Duration = Duration::from_secs(1);

/// Has the plan made, and shows what is going on meanwhile.
async fn think(app: &App, engine: &Engine, input: PlanInput) -> Result<PlanOutcome, Failure> {
    let line = RefCell::new(LiveLine::new(app.printer));
    let show = |progress| tell(&mut line.borrow_mut(), progress);
    let mut planned = std::pin::pin!(engine.plan(input, show));
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            outcome = &mut planned => return Ok(outcome?),
            _ = ticks.tick() => line.borrow().draw(),
        }
    }
}

/// Less is shown as nothing, in US dollars.
const WORTH_SAYING: f64 = 0.005;

fn tell(line: &mut LiveLine, progress: PlanProgress) {
    match progress {
        PlanProgress::Syncing(repo) => line.step(format!("asking the forge of {repo}")),
        PlanProgress::Gathering => line.step("reading issues and repositories"),
        PlanProgress::Brain(asked) => {
            line.step("the model thinks");
            let mut said = Vec::new();
            if asked.turns > 0 {
                said.push(count(asked.turns, "turn"));
            }
            if asked.cost_usd >= WORTH_SAYING {
                said.push(format!("${:.2}", asked.cost_usd));
            }
            said.extend(asked.activity);
            line.detail(said.join(", "));
        }
        PlanProgress::FedBack { refused } => {
            let refused = count(refused as u64, "refusal");
            line.note(&format!(
                "{refused}: the model is told, and asked once more"
            ));
        }
        PlanProgress::FellBack { why } => {
            line.note(&format!("the rules plan, not the model: {}", plain(&why)));
        }
    }
}

impl PlanArgs {
    fn input(&self, config: &Config) -> Result<PlanInput, Failure> {
        let with = match self.with_brain(config) {
            true => PlanWith::Brain(Box::new(self.brain(config)?)),
            false => PlanWith::Rules,
        };
        Ok(PlanInput {
            with,
            repos: self.repo.clone(),
            sync: self.sync,
            dry_run: self.dry_run,
        })
    }

    /// What only a model can do asks for one.
    fn with_brain(&self, config: &Config) -> bool {
        match (self.planner, config.plan.planner) {
            (Some(PlannerName::Brain), _) => true,
            (Some(PlannerName::Rules), _) => false,
            (None, _) if self.explore || self.model.is_some() => true,
            (None, PlannerChoice::Brain) => true,
            (None, PlannerChoice::Rules) => false,
            (None, PlannerChoice::Auto) => is_installed(&config.worker.command, &environment()),
        }
    }

    fn brain(&self, config: &Config) -> Result<BrainSettings, Failure> {
        let (plan, worker) = (&config.plan, &config.worker);
        let sources = worker.setting_sources.iter();
        Ok(BrainSettings {
            supervisor: Supervisor::locate().map_err(io("the own program"))?,
            program: worker.command.clone(),
            extra_args: worker.extra_args.clone(),
            setting_sources: sources.map(|it| it.as_str().to_owned()).collect(),
            env: environment(),
            model: self.model.clone().or_else(|| plan.model.clone()),
            explore: (plan.explore && !self.no_explore) || self.explore,
            max_budget_usd: Some(plan.budget_usd),
            limit: Duration::from_secs(plan.timeout_seconds),
            context_tokens: plan.context_tokens,
        })
    }
}

/// The environment of this process, as far as it is text.
fn environment() -> BTreeMap<String, String> {
    let vars = std::env::vars_os();
    vars.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}
