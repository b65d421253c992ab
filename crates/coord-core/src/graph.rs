//! Which repository depends on which: order, cycles, and everything upstream of one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::ids::RepoName;
use crate::policy::Policy;

/// The dependency graph of the repositories. Names that it does not know are ignored.
#[derive(Debug, Clone, Default)]
pub struct DependencyGraph<'a> {
    upstream: BTreeMap<&'a RepoName, BTreeSet<&'a RepoName>>,
}

/// A cycle as a path that ends where it began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cycle(pub Vec<RepoName>);

impl fmt::Display for Cycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.0.iter().map(RepoName::as_str).collect();
        f.write_str(&names.join(" → "))
    }
}

impl<'a> DependencyGraph<'a> {
    /// The graph of repositories, each with the ones that it depends on.
    pub fn new(repos: impl IntoIterator<Item = (&'a RepoName, &'a [RepoName])>) -> Self {
        let declared: BTreeMap<_, _> = repos.into_iter().collect();
        let known = |name: &&RepoName| declared.contains_key(*name);
        let upstream = declared
            .iter()
            .map(|(repo, depends_on)| (*repo, depends_on.iter().filter(known).collect()))
            .collect();
        Self { upstream }
    }

    /// The graph that the configuration describes.
    #[must_use]
    pub fn of(policy: &'a Policy) -> Self {
        Self::new(
            policy
                .repos
                .iter()
                .map(|(name, repo)| (name, repo.depends_on.as_slice())),
        )
    }

    /// Everything that `repo` depends on, directly or not; never `repo` itself.
    #[must_use]
    pub fn upstreams(&self, repo: &RepoName) -> BTreeSet<&'a RepoName> {
        let mut found = BTreeSet::new();
        let mut open: Vec<&RepoName> = vec![repo];
        while let Some(next) = open.pop() {
            for upstream in self.upstream.get(next).into_iter().flatten() {
                if *upstream != repo && found.insert(*upstream) {
                    open.push(upstream);
                }
            }
        }
        found
    }

    /// The repositories in layers: each depends on earlier layers only. What is on a cycle, or
    /// downstream of one, is in no layer.
    #[must_use]
    pub fn layers(&self) -> Vec<Vec<&'a RepoName>> {
        let mut left = self.upstream.clone();
        let mut layers = Vec::new();
        loop {
            let free = |(name, upstream): (&&'a RepoName, &BTreeSet<&RepoName>)| {
                upstream.is_empty().then_some(*name)
            };
            let layer: Vec<&RepoName> = left.iter().filter_map(free).collect();
            if layer.is_empty() {
                return layers;
            }
            left.retain(|name, _| !layer.contains(name));
            for upstream in left.values_mut() {
                upstream.retain(|name| !layer.contains(name));
            }
            layers.push(layer);
        }
    }

    /// The repositories with everything upstream before what depends on it. What is on a cycle,
    /// or downstream of one, is missing.
    #[must_use]
    pub fn order(&self) -> Vec<&'a RepoName> {
        self.layers().concat()
    }

    /// A cycle, if there is one.
    #[must_use]
    pub fn cycle(&self) -> Option<Cycle> {
        let ordered: BTreeSet<_> = self.order().into_iter().collect();
        let unordered = |name: &&&RepoName| !ordered.contains(*name);
        // Whatever has no place in the order depends on something else without one, so that a
        // walk along such edges has to come back to where it was.
        let mut path = vec![*self.upstream.keys().find(unordered)?];
        loop {
            let next = *self.upstream.get(path.last()?)?.iter().find(unordered)?;
            path.push(next);
            if let Some(start) = path.iter().position(|name| *name == next)
                && start + 1 < path.len()
            {
                let cycle = path.get(start..)?.iter().map(|name| (*name).clone());
                return Some(Cycle(cycle.collect()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<RepoName> {
        text.split_whitespace().map(RepoName::from).collect()
    }

    fn with_graph<T>(edges: &[(&str, &str)], test: impl Fn(&DependencyGraph<'_>) -> T) -> T {
        let owned: Vec<(RepoName, Vec<RepoName>)> = edges
            .iter()
            .map(|(repo, upstream)| (RepoName::from(*repo), names(upstream)))
            .collect();
        test(&DependencyGraph::new(
            owned
                .iter()
                .map(|(repo, upstream)| (repo, upstream.as_slice())),
        ))
    }

    #[test]
    fn upstream_comes_first() {
        let order = with_graph(
            &[("web", "api lib"), ("api", "lib"), ("lib", "")],
            |graph| graph.order().into_iter().cloned().collect::<Vec<_>>(),
        );
        assert_eq!(order, names("lib api web"));
    }

    #[test]
    fn upstreams_are_transitive_and_never_the_repository_itself() {
        let edges = [
            ("web", "api"),
            ("api", "lib web"),
            ("lib", ""),
            ("other", ""),
        ];
        let found = with_graph(&edges, |graph| {
            let found = graph.upstreams(&"web".into());
            found.into_iter().cloned().collect::<Vec<_>>()
        });
        assert_eq!(found, names("api lib"));
    }

    #[test]
    fn a_cycle_is_a_path() {
        let cycle = |edges: &[(&str, &str)]| {
            with_graph(edges, |graph| graph.cycle().map(|cycle| cycle.to_string()))
        };
        assert_eq!(cycle(&[("a", "b"), ("b", "")]), None);
        assert_eq!(cycle(&[("a", "a")]).as_deref(), Some("a → a"));
        assert_eq!(
            cycle(&[("a", "b"), ("b", "a")]).as_deref(),
            Some("a → b → a")
        );
        assert_eq!(
            cycle(&[("a", "b"), ("b", "x c"), ("c", "d"), ("d", "b"), ("x", "")]).as_deref(),
            Some("b → c → d → b"),
            "the way to the cycle is not part of it"
        );
    }

    #[test]
    fn unknown_names_are_ignored() {
        let order = with_graph(&[("a", "nowhere")], |graph| graph.order().len());
        assert_eq!(order, 1);
    }
}
