//! What the live assignments of this machine hold, under one lock: of two that want the same path at
//! once, one gets it.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use coord_core::ids::AssignmentId;
use coord_core::scope::Glob;
use coord_protocol::{AssignBody, LeaseHolder};

use super::{Check, Denied};

/// How many paths one assignment may be granted beyond those that it declares: each is an entry on the
/// board. Whoever needs more builds something, or does it to be a nuisance.
const MOST_PATHS: usize = 2000;

/// How many questions of one assignment may wait for an answer at once, so that those of others are heard.
const MOST_QUESTIONS: u32 = 64;

/// Who holds what.
#[derive(Debug, Default)]
pub(crate) struct Table {
    holdings: Mutex<BTreeMap<AssignmentId, Holding>>,
}

/// What one live assignment holds.
#[derive(Debug)]
struct Holding {
    about: LeaseHolder,
    /// The checkout whose worktree it is in.
    repo: PathBuf,
    declared: Vec<Glob>,
    forbidden: Vec<(String, Glob)>,
    paths: HashMap<String, Taken>,
}

/// How far a path beyond the declared ones is somebody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    /// It is.
    Granted,
    /// Until the coordinator has answered that many questions.
    Asking(u32),
}

/// What the table says of an edit.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It may be made.
    Allowed,
    /// It may not.
    Denied(Denied),
    /// Nobody here has the path; it is reserved until [`Table::settle`]: ask the coordinator.
    Reserved,
}

impl Table {
    /// Makes what `body` declares, and what was `granted`, the own of `about`.
    pub(super) fn hold(
        &self,
        about: LeaseHolder,
        repo: PathBuf,
        body: &AssignBody,
        granted: impl Iterator<Item = String>,
    ) {
        let id = about.assignment.clone();
        let forbidden = body.files_forbidden.iter();
        let holding = Holding {
            about,
            repo,
            declared: body.files_allowed.iter().map(|it| Glob::new(it)).collect(),
            forbidden: forbidden.map(|it| (it.clone(), Glob::new(it))).collect(),
            paths: granted.map(|path| (path, Taken::Granted)).collect(),
        };
        self.holdings().insert(id, holding);
    }

    /// Nothing of it is held on this machine any more.
    pub(crate) fn forget(&self, id: &AssignmentId) {
        self.holdings().remove(id);
    }

    /// The checkout whose worktree `id` is in.
    pub(super) fn repo(&self, id: &AssignmentId) -> Option<PathBuf> {
        Some(self.holdings().get(id)?.repo.clone())
    }

    /// Whether `id` may change `path`, relative to the root of the repository.
    pub(super) fn request(&self, id: &AssignmentId, path: &str, check: Check) -> Verdict {
        let mut holdings = self.holdings();
        let Some(own) = holdings.get(id) else {
            return Verdict::Denied(Denied::Unreachable);
        };
        if let Some(glob) = own.forbids(path) {
            return Verdict::Denied(Denied::Forbidden(glob.to_owned()));
        }
        let declared = own.declares(path);
        if !declared && let Some(other) = holder(&holdings, own, path) {
            return Verdict::Denied(Denied::Leased(other.clone()));
        }
        if declared || own.paths.get(path) == Some(&Taken::Granted) {
            return Verdict::Allowed;
        }
        if check == Check::Strict && !own.declared.is_empty() {
            return Verdict::Denied(Denied::Undeclared);
        }
        if own.asks_too_much(path) {
            return Verdict::Denied(Denied::Refused(None));
        }
        if let Some(own) = holdings.get_mut(id) {
            match own.paths.entry(path.to_owned()).or_insert(Taken::Asking(0)) {
                Taken::Granted => {}
                Taken::Asking(count) => *count += 1,
            }
        }
        Verdict::Reserved
    }

    /// Ends one reservation of `path`; `true` if it has become its own by that.
    pub(super) fn settle(&self, id: &AssignmentId, path: &str, granted: bool) -> bool {
        let mut holdings = self.holdings();
        let Some(own) = holdings.get_mut(id) else {
            return false;
        };
        match own.paths.get_mut(path) {
            Some(taken @ Taken::Asking(_)) if granted => {
                *taken = Taken::Granted;
                true
            }
            Some(Taken::Asking(count)) if *count > 1 => {
                *count -= 1;
                false
            }
            Some(Taken::Asking(_)) => {
                own.paths.remove(path);
                false
            }
            Some(Taken::Granted) | None => false,
        }
    }

    /// The glob that forbids `path` to `id`.
    pub(super) fn forbidden(&self, id: &AssignmentId, path: &str) -> Option<String> {
        let holdings = self.holdings();
        Some(holdings.get(id)?.forbids(path)?.to_owned())
    }

    /// Why `id` should not have changed `path`, which nobody was asked about.
    pub(super) fn objection(&self, id: &AssignmentId, path: &str, check: Check) -> Option<Denied> {
        let holdings = self.holdings();
        let own = holdings.get(id)?;
        if own.declares(path) || own.paths.contains_key(path) {
            return None;
        }
        if let Some(other) = holder(&holdings, own, path) {
            return Some(Denied::Leased(other.clone()));
        }
        let undeclared = check == Check::Strict && !own.declared.is_empty();
        undeclared.then_some(Denied::Undeclared)
    }

    fn holdings(&self) -> MutexGuard<'_, BTreeMap<AssignmentId, Holding>> {
        self.holdings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Holding {
    fn declares(&self, path: &str) -> bool {
        self.declared.iter().any(|glob| glob.matches(path))
    }

    fn forbids(&self, path: &str) -> Option<&str> {
        let covers = |(_, glob): &&(String, Glob)| glob.matches(path);
        let (text, _) = self.forbidden.iter().find(covers)?;
        Some(text)
    }

    fn asks_too_much(&self, path: &str) -> bool {
        let waiting = self.paths.values().map(|taken| match taken {
            Taken::Granted => 0,
            Taken::Asking(count) => *count,
        });
        let is_full = self.paths.len() >= MOST_PATHS && !self.paths.contains_key(path);
        is_full || waiting.sum::<u32>() >= MOST_QUESTIONS
    }

    fn is_in(&self, repo: &Path) -> bool {
        self.repo == repo
    }
}

/// Who of the others in the repository of `own` has `path`.
fn holder<'h>(
    holdings: &'h BTreeMap<AssignmentId, Holding>,
    own: &Holding,
    path: &str,
) -> Option<&'h LeaseHolder> {
    let others = holdings
        .values()
        .filter(|it| it.is_in(&own.repo) && it.about.assignment != own.about.assignment);
    let has = |it: &&Holding| it.declares(path) || it.paths.contains_key(path);
    others.into_iter().find(has).map(|it| &it.about)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u64) -> AssignmentId {
        AssignmentId::from_bits(n)
    }

    fn about(n: u64) -> LeaseHolder {
        LeaseHolder {
            assignment: id(n),
            issue: format!("shop#{n}"),
            title: "t".to_owned(),
            machine: "m".to_owned(),
        }
    }

    fn add(table: &Table, n: u64, repo: &str, allowed: &[&str], forbidden: &[&str]) {
        let texts = |globs: &[&str]| globs.iter().map(|it| (*it).to_owned()).collect();
        let body = AssignBody {
            files_allowed: texts(allowed),
            files_forbidden: texts(forbidden),
            ..AssignBody::default()
        };
        table.hold(about(n), repo.into(), &body, std::iter::empty());
    }

    fn leased(n: u64) -> Verdict {
        Verdict::Denied(Denied::Leased(about(n)))
    }

    #[test]
    fn the_order_of_the_rules() {
        let table = Table::default();
        add(&table, 1, "/r", &["src/**"], &["Cargo.lock", "src/gen/**"]);
        add(&table, 2, "/r", &[], &[]);
        add(&table, 3, "/other", &[], &[]);
        let ask = |n, path, check| table.request(&id(n), path, check);
        let forbidden = |glob: &str| Verdict::Denied(Denied::Forbidden(glob.to_owned()));
        assert_eq!(ask(1, "Cargo.lock", Check::Warn), forbidden("Cargo.lock"));
        assert_eq!(ask(1, "src/gen/a", Check::Warn), forbidden("src/gen/**"));
        assert_eq!(ask(1, "src/a", Check::Strict), Verdict::Allowed);
        assert_eq!(ask(2, "src/a", Check::Warn), leased(1));
        assert_eq!(ask(3, "src/a", Check::Warn), Verdict::Reserved);
        let undeclared = Verdict::Denied(Denied::Undeclared);
        assert_eq!(ask(1, "doc/a", Check::Strict), undeclared);
        assert_eq!(ask(1, "doc/a", Check::Warn), Verdict::Reserved);
        assert_eq!(ask(2, "doc/b", Check::Strict), Verdict::Reserved);
        let nobody = Verdict::Denied(Denied::Unreachable);
        assert_eq!(ask(9, "doc/b", Check::Warn), nobody);
    }

    #[test]
    fn a_path_is_reserved_until_every_question_about_it_is_answered() {
        let table = Table::default();
        add(&table, 1, "/r", &[], &[]);
        add(&table, 2, "/r", &[], &[]);
        let ask = |n| table.request(&id(n), "a", Check::Warn);
        assert_eq!((ask(1), ask(1)), (Verdict::Reserved, Verdict::Reserved));
        assert_eq!(ask(2), leased(1));
        assert!(!table.settle(&id(1), "a", false));
        assert_eq!(ask(2), leased(1));
        assert!(!table.settle(&id(1), "a", false));
        assert_eq!(ask(2), Verdict::Reserved);
        assert!(table.settle(&id(2), "a", true));
        assert!(!table.settle(&id(2), "a", false), "a late no takes nothing");
        assert_eq!((ask(1), ask(2)), (leased(2), Verdict::Allowed));
        table.forget(&id(2));
        assert_eq!(ask(1), Verdict::Reserved);
    }

    #[test]
    fn who_asks_without_end_is_stopped() {
        let refused = Verdict::Denied(Denied::Refused(None));
        let table = Table::default();
        add(&table, 1, "/r", &[], &[]);
        add(&table, 2, "/r", &[], &[]);
        let ask = |n, path: &str| table.request(&id(n), path, Check::Warn);
        for question in 0..MOST_QUESTIONS {
            let path = format!("q{}", question / 2);
            assert_eq!(ask(1, &path), Verdict::Reserved);
        }
        assert_eq!(ask(1, "q0"), refused);
        assert_eq!(ask(2, "another"), Verdict::Reserved);
        assert!(table.settle(&id(1), "q0", true));
        assert_eq!(
            (ask(1, "q0"), ask(1, "new")),
            (Verdict::Allowed, Verdict::Reserved)
        );
        for n in 0..MOST_PATHS {
            let path = format!("g{n}");
            if ask(2, &path) == Verdict::Reserved {
                table.settle(&id(2), &path, true);
            }
        }
        assert_eq!((ask(2, "g0"), ask(2, "more")), (Verdict::Allowed, refused));
    }

    #[test]
    fn what_was_changed_past_the_check_is_objected_to() {
        let table = Table::default();
        add(&table, 1, "/r", &["src/**"], &[]);
        add(&table, 2, "/r", &["doc/**"], &[]);
        let objection = |path, check| table.objection(&id(1), path, check);
        assert_eq!(objection("src/a", Check::Strict), None);
        let held = Some(Denied::Leased(about(2)));
        assert_eq!(objection("doc/a", Check::Warn), held);
        assert_eq!(objection("x", Check::Strict), Some(Denied::Undeclared));
        assert_eq!(objection("x", Check::Warn), None);
    }
}
