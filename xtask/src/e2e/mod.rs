//! `cargo xtask e2e`: the real worker, driven through the real agent by the real command line.
//!
//! Only the model is a double: a scripted Messages API on loopback. The worker runs in a home and an
//! environment of its own, so that nothing of the person who runs this is read or used.

mod bad_plans;
mod brain;
mod claude;
mod delivery;
mod endings;
mod github;
mod leases;
mod pipeline;
mod planning;
mod python;
mod radar;
mod reviewers;
mod scenario;
mod serving;
mod shells;
mod smoke;
mod splits;
mod stream;
mod survival;
mod unreachable;

use std::path::PathBuf;

use anyhow::Result;
use coord_test_support::messages_api::MessagesApi;

use crate::lab::Binaries;
use crate::step::Steps;
use crate::tidy::workspace::root;
use scenario::Stage;

/// Runs every scenario, or those whose name contains `only`.
pub(crate) fn run(folder: Option<PathBuf>, only: Option<&str>) -> Result<()> {
    let root = root();
    let stage = Stage {
        claude: claude::install(&root)?,
        binaries: Binaries::find(&root, folder)?,
        api: MessagesApi::start()?,
    };
    let runtime = tokio::runtime::Runtime::new()?;
    let mut steps = Steps::default();
    macro_rules! scenarios {
        ($($name:literal => $scenario:path,)*) => {$(
            if only.is_none_or(|only| $name.contains(only)) {
                steps.run($name, || runtime.block_on($scenario(&stage)));
            }
        )*};
    }
    scenarios! {
        "success, tested and merged" => pipeline::success,
        "the whole pipeline" => delivery::all_the_way,
        "eight workers at once" => pipeline::eight_at_once,
        "the Python client 0.1.0" => python::client,
        "the demo on GitHub" => github::demo,
        "a sync of 1,200 issues" => github::sync,
        "two workers want one file" => leases::one_file,
        "two workers on two machines want one file" => leases::across_machines,
        "two workers want one file with every tool" => leases::every_tool,
        "a shell changes another worker's file" => shells::of_another,
        "a shell changes a forbidden file" => shells::forbidden,
        "a forbidden change is committed all the same" => shells::stubborn,
        "no coordinator is there, strictly" => unreachable::strict,
        "no coordinator is there, with a warning" => unreachable::warn,
        "an edit while the agent is gone" => unreachable::agent_gone,
        "a conflict is foreseen" => radar::foreseen,
        "a plan of the model, approved and merged" => planning::approved,
        "a plan is interrupted" => planning::interrupted,
        "a plan is killed" => planning::killed,
        "a bad plan is corrected" => bad_plans::corrected,
        "a plan of no use" => bad_plans::useless,
        "a plan that obeys an issue" => bad_plans::injected,
        "a plan while the API fails" => bad_plans::api_errors,
        "a split is killed" => splits::local,
        "a split on GitHub is killed" => splits::on_github,
        "stuck" => endings::stuck,
        "API error" => endings::api_error,
        "usage limit" => endings::usage_limit,
        "a reviewer answers in the schema" => serving::answers,
        "a reviewer ignores the schema" => serving::ignores_the_schema,
        "a reviewer is kept from everything" => serving::is_kept_from_everything,
        "a reviewer dies" => serving::dies,
        "reviewers ignore the schema" => reviewers::ignore_the_schema,
        "a reviewer cites what is not there" => reviewers::cite_what_is_not_there,
        "a reviewer dies, another one approves" => reviewers::die,
        "a pull request by a worker" => reviewers::pull_request,
        "smoke: on the machine that can do it" => reviewers::smoke,
        "smoke: green, red, out of time" => smoke::verdicts,
        "smoke: the agent is killed in the middle" => smoke::survives_the_agent,
        "stop during a Bash call with a grandchild" => survival::stop,
        "agent killed and restarted in mid-run" => survival::restart,
    }
    steps.finish()
}
