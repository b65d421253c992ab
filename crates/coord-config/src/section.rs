//! Reading one mapping of the file key by key; what was never asked for is unknown.

use std::fmt::Display;
use std::ops::RangeInclusive;

use crate::names;
use crate::node::{Entry, Mark, Node, Value};
use crate::reading::{Reading, Word, keys};

/// One mapping of the file.
#[must_use = "`finish` finds the unknown keys"]
pub(crate) struct Section<'a> {
    reading: &'a Reading<'a>,
    /// How messages call it, e.g. `a repository`.
    what: &'static str,
    entries: &'a [Entry],
    mark: Mark,
    known: Vec<&'static str>,
    /// It is no mapping, which was said; that keys are missing need not be said as well.
    broken: bool,
}

impl<'a> Section<'a> {
    /// Opens `node`, which messages call `what`.
    pub(crate) fn open(reading: &'a Reading<'a>, what: &'static str, node: &'a Node) -> Self {
        let entries = reading.entries(node);
        Self {
            reading,
            what,
            entries: entries.unwrap_or_default(),
            mark: node.mark.clone(),
            known: Vec::new(),
            broken: entries.is_none(),
        }
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.broken
    }

    /// The value of `key`; a null is as good as no key.
    pub(crate) fn get(&mut self, key: &'static str) -> Option<&'a Node> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        (!matches!(entry.node.value, Value::Null)).then_some(&entry.node)
    }

    pub(crate) fn reading(&self) -> &'a Reading<'a> {
        self.reading
    }

    /// Where the value of `key` stands; where it is absent, the mapping.
    pub(crate) fn mark_of(&self, key: &str) -> &Mark {
        let entry = self.entries.iter().find(|entry| entry.key == key);
        entry.map_or(&self.mark, |entry| &entry.node.mark)
    }

    /// The text at `key` of a mapping that is not opened yet.
    pub(crate) fn peek(node: &'a Node, key: &str) -> Option<Word<'a>> {
        let Value::Map(entries) = &node.value else {
            return None;
        };
        let entry = entries.iter().find(|entry| entry.key == key)?;
        let Value::Text(text) = &entry.node.value else {
            return None;
        };
        Some(Word {
            text,
            mark: &entry.node.mark,
        })
    }

    /// Notes a problem with the value of `key`.
    pub(crate) fn problem_at(&self, key: &str, message: &str) {
        self.reading.problem(self.mark_of(key), message);
    }

    /// Like `get`, and its absence is a problem.
    pub(crate) fn require(&mut self, key: &'static str) -> Option<&'a Node> {
        let node = self.get(key);
        if node.is_none() && !self.broken {
            let message = format!("{} needs the key `{key}`", self.what);
            self.reading.problem(&self.mark, message);
        }
        node
    }

    /// The list at `key` has to be there, and to have a member.
    pub(crate) fn require_some(&mut self, key: &'static str) {
        if let Some(node) = self.require(key)
            && matches!(&node.value, Value::List(items) if items.is_empty())
        {
            self.reading.problem(&node.mark, "must not be empty");
        }
    }

    /// The mapping below `key`; one that is absent has no keys.
    pub(crate) fn section(&mut self, key: &'static str) -> Section<'a> {
        match self.get(key) {
            Some(node) => Section::open(self.reading, key, node),
            None => Section {
                reading: self.reading,
                what: key,
                entries: &[],
                mark: self.mark.clone(),
                known: Vec::new(),
                broken: false,
            },
        }
    }

    /// The keys below `key`, where the file chooses them, with their values.
    pub(crate) fn pairs(&mut self, key: &'static str) -> Vec<(Word<'a>, &'a Node)> {
        let node = self.get(key);
        let entries = node.and_then(|node| self.reading.entries(node));
        let entries = entries.unwrap_or_default();
        keys(entries)
            .into_iter()
            .zip(entries.iter().map(|entry| &entry.node))
            .collect()
    }

    /// The members of the list of mappings at `key`, or `None` where there is none.
    pub(crate) fn mappings(&mut self, key: &'static str) -> Option<&'a [Node]> {
        let node = self.get(key)?;
        self.reading.mappings(node)
    }

    /// The members of the list of texts at `key`, or `None` where there is none.
    pub(crate) fn texts(&mut self, key: &'static str) -> Option<&'a [Node]> {
        let node = self.get(key)?;
        self.reading.texts(node)
    }

    /// The texts of the list at `key`.
    pub(crate) fn words(&mut self, key: &'static str) -> Option<Vec<Word<'a>>> {
        let node = self.get(key)?;
        self.reading.words(node)
    }

    /// The names of the list at `key`, each at most once.
    pub(crate) fn names(&mut self, key: &'static str, what: &str) -> Vec<Word<'a>> {
        let items = self.texts(key).unwrap_or_default();
        let words: Vec<_> = items
            .iter()
            .filter_map(|item| self.reading.name(item))
            .collect();
        self.reading.check_unique(what, &words);
        words
    }

    pub(crate) fn word(&mut self, key: &'static str) -> Option<Word<'a>> {
        let node = self.get(key)?;
        self.reading.word(node)
    }

    pub(crate) fn text(&mut self, key: &'static str) -> Option<String> {
        self.word(key).map(|word| word.text.to_owned())
    }

    pub(crate) fn flag(&mut self, key: &'static str) -> Option<bool> {
        let node = self.get(key)?;
        self.reading.flag(node)
    }

    pub(crate) fn number<N>(&mut self, key: &'static str, range: RangeInclusive<N>) -> Option<N>
    where
        N: Copy + PartialOrd + Display + TryFrom<u64>,
    {
        let node = self.get(key)?;
        self.reading.number(node, &range)
    }

    /// An amount of money above zero.
    pub(crate) fn usd(&mut self, key: &'static str) -> Option<f64> {
        let node = self.get(key)?;
        self.reading.usd(node)
    }

    /// The choice that the text at `key` names.
    pub(crate) fn choice<T: Copy>(
        &mut self,
        key: &'static str,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let node = self.get(key)?;
        self.reading.choice(node, &key.replace('_', " "), choices)
    }

    /// The choices that the list at `key` names, each at most once.
    pub(crate) fn choices<T: Copy>(
        &mut self,
        key: &'static str,
        what: &str,
        choices: &[(&str, T)],
    ) -> Option<Vec<T>> {
        let items = self.texts(key)?;
        let words: Vec<_> = items
            .iter()
            .filter_map(|item| self.reading.word(item))
            .collect();
        self.reading.check_unique(what, &words);
        let choice = |item| self.reading.choice(item, what, choices);
        Some(items.iter().filter_map(choice).collect())
    }

    /// Notes every key that nobody asked for.
    pub(crate) fn finish(self) {
        for entry in self.entries {
            if !self.known.contains(&entry.key.as_str()) {
                let message = || {
                    format!(
                        "unknown key `{}` in {}",
                        names::shown(&entry.key),
                        self.what
                    )
                };
                let hint = || names::hint(&entry.key, self.known.iter().copied());
                self.reading.note(&entry.key_mark, || (message(), hint()));
            }
        }
    }
}
