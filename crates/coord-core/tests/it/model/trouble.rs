//! What goes wrong around the coordinator, and what others do to the same repositories.

use coord_core::ids::{IssueRef, RepoName};

use super::agents::Agent;
use super::course::Course;
use super::repository::Place;

impl Course {
    fn some_agent(&mut self) -> Option<&mut Agent> {
        let index = self.random.index(self.agents.len());
        self.agents.values_mut().nth(index)
    }

    pub(super) fn vanish_or_return(&mut self) {
        if let Some(agent) = self.some_agent() {
            agent.reachable = !agent.reachable;
            agent.heard = false;
            agent.words.clear();
        }
    }

    /// An agent restarts: its workers go on, or it knows nothing any more, and they are gone.
    pub(super) fn restart(&mut self) {
        let forgets = self.random.percent(40);
        if let Some(agent) = self.some_agent() {
            agent.heard = false;
            agent.words.clear();
            if forgets {
                agent.jobs.clear();
            }
        }
    }

    /// The coordinator: what it was about to hear or to write down is gone.
    pub(super) fn kill(&mut self) {
        self.flights.clear();
        for agent in self.agents.values_mut() {
            agent.heard = false;
            agent.words.clear();
        }
    }

    /// Between the decision to merge and the merge.
    pub(super) fn at_the_last_moment(&mut self) {
        match self.random.below(20) {
            0..4 if !self.calm => self.outsider(),
            4..6 if !self.calm => self.stranger(),
            _ => {}
        }
    }

    /// Somebody without a coordinator works on the base.
    pub(super) fn outsider(&mut self) {
        let names: Vec<RepoName> = self.repositories.keys().cloned().collect();
        let name = self.random.pick(&names).unwrap();
        let repository = self.repositories.get_mut(name).unwrap();
        let mut tree = repository.tree(&repository.main).clone();
        let place = self.random.weighted(&[
            (70, Place::Other(1)),
            (25, Place::Shared(1)),
            (5, Place::Broken),
        ]);
        *tree.entry(place).or_default() += 7;
        let main = repository.main.clone();
        repository.main = repository.commit(&[&main], tree);
    }

    pub(super) fn stranger(&mut self) {
        let forces = self.random.percent(40);
        self.push(forces);
    }

    /// Somebody pushes to a finished branch, on top of what is there or over it.
    pub(super) fn push(&mut self, forces: bool) {
        let done = self.world.board.assignments.values();
        let finished: Vec<(IssueRef, String)> = done
            .filter_map(|it| Some((it.issue.clone(), it.deliverable()?.branch.to_owned())))
            .collect();
        let Some((issue, branch)) = self.random.pick(&finished).cloned() else {
            return;
        };
        let breaks = self.random.percent(30);
        let repository = self.repositories.get_mut(&issue.repo).unwrap();
        let Some(tip) = repository.branches.get(&branch).cloned() else {
            return;
        };
        let mut tree = repository.tree(&tip).clone();
        *tree.entry(Place::Note(issue.number)).or_default() += 50;
        if breaks {
            tree.insert(Place::Bug(issue.number), 1);
        }
        let new = match forces {
            true => {
                let main = repository.main.clone();
                let (mut tree, conflicts) = repository.together(&tip, &main);
                for place in conflicts {
                    tree.insert(place, 9);
                }
                let new = repository.commit(&[&main], tree);
                repository.rewritten.insert(new.clone(), tip);
                new
            }
            false => repository.commit(&[&tip], tree),
        };
        repository.branches.insert(branch, new);
    }
}
