//! The decisions: what a command does to the board, and what has to be done outside.
//!
//! One file per family of commands. Each works on a [`Draft`], which applies what it emits at
//! once, so that a later step sees the board as it will be.

mod advance;
mod assign;
mod combine;
mod draft;
mod end;
mod fix;
mod follow;
mod merge;
mod outcome;
mod plan;
mod promote;
mod radar;
mod reassign;
mod report;
mod retry;
mod serve;
mod session;
mod spend;
mod split;
mod stop;
mod test;

use crate::board::Board;
use crate::command::{Command, Decision, Refusal};
use crate::event::BoardEvent;
use crate::ids::Timestamp;
use crate::policy::Policy;
use draft::Draft;

/// What a command leads to: events and effects, or a refusal and nothing but its record.
///
/// Pure and total: no clock, no randomness, no panic whatever the board and the command are. A
/// word of an agent or an outcome that comes twice changes nothing the second time.
pub fn decide(board: &Board, policy: &Policy, command: &Command, now: Timestamp) -> Decision {
    let mut draft = Draft::new(board, policy, now);
    match carry_out(&mut draft, command) {
        Ok(()) => {
            promote::promote(&mut draft);
            session::complete_round(&mut draft, board);
            draft.finish()
        }
        Err(refusal) => Decision {
            events: vec![BoardEvent::Refused {
                refusal: refusal.clone(),
            }],
            effects: Vec::new(),
            refusal: Some(refusal),
        },
    }
}

fn carry_out(draft: &mut Draft<'_>, command: &Command) -> Result<(), Refusal> {
    match command {
        Command::Assign(request) => return assign::assign(draft, request),
        Command::Retry(request) => return retry::retry(draft, request),
        Command::Guide { id, guidance } => return retry::guide(draft, id, guidance),
        Command::Stop { id } => return stop::stop(draft, id),
        Command::Test { id } => return test::request(draft, id),
        Command::RecordVerdict {
            id,
            result,
            note,
            output,
        } => return test::record_by_hand(draft, id, *result, note, output.as_deref()),
        Command::BranchSeen { id, head } => advance::branch_seen(draft, id, head),
        Command::OpenPull { id, author, review } => {
            return advance::want_pull(draft, id, *author, *review);
        }
        Command::Serve(request) => return serve::serve(draft, request),
        Command::Fix(request) => return fix::fix(draft, request),
        Command::Merge {
            ids,
            repo,
            method,
            ordered,
            set_aside,
        } => {
            let wish = merge::Wish {
                ids,
                repo: repo.as_ref(),
                method: *method,
                ordered: *ordered,
                set_aside: set_aside.as_ref(),
            };
            return merge::enqueue(draft, &wish);
        }
        Command::Report {
            machine,
            id,
            report,
        } => report::hear(draft, machine, id, report),
        Command::AgentUnreachable { machine, error } => report::silent(draft, machine, error),
        Command::AgentStale { machine } => reassign::stale(draft, machine),
        Command::AgentReachable { machine } => report::back(draft, machine),
        Command::Outcome { key, outcome } => outcome::settle(draft, key, outcome),
        Command::CloseSession { force, checkouts } => {
            return session::close(draft, *force, checkouts);
        }
        Command::Plan(request) => plan::plan(draft, request),
        Command::Reject { proposals, splits } => return plan::reject(draft, proposals, splits),
        Command::Split { id } => return split::split(draft, *id),
        Command::IssuesClosed { issues } => plan::closed(draft, issues),
        Command::RadarSeen(sighting) => radar::seen(draft, sighting),
        Command::Tick => {}
    }
    Ok(())
}
