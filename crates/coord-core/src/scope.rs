//! Globs over paths: does one match a path, may two of them share one.
//!
//! `*` and `?` stay within one component, `**` as a component stands for any number of them. A
//! glob whose last component has no wildcard names a file or a folder with everything in it; a
//! trailing `/` says that it is a folder. `[`, `{` and `!` are ordinary characters: file names
//! have them. Both questions cost at most the product of the two lengths, whatever the globs.

/// A glob relative to the root of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    components: Vec<Component>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Component {
    /// `**`: any number of components.
    Deep,
    Name(Vec<Token>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    /// `*`: any number of characters.
    Star,
    /// `?`: one character.
    One,
    Char(char),
}

impl Glob {
    /// Reads a glob; every text is one. An empty one, `.` and `/` mean the whole repository.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut components: Vec<Component> = names(text).map(Component::of_glob).collect();
        let folder_or_file = match components.last() {
            None => true,
            Some(last) => text.ends_with('/') || last.is_literal(),
        };
        if folder_or_file {
            components.push(Component::Deep);
        }
        Self { components }
    }

    /// Whether the glob covers `path`, in which no character is special.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        let path: Vec<Component> = names(path).map(Component::of_path).collect();
        share_a_word(
            &self.components,
            &path,
            Component::is_deep,
            Component::meets,
        )
    }

    /// Whether there may be a path that both globs cover.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        share_a_word(
            &self.components,
            &other.components,
            Component::is_deep,
            Component::meets,
        )
    }
}

fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split('/').filter(|name| !matches!(*name, "" | "."))
}

impl Component {
    fn of_glob(name: &str) -> Self {
        let token = |c| match c {
            '*' => Token::Star,
            '?' => Token::One,
            c => Token::Char(c),
        };
        match name {
            "**" => Self::Deep,
            name => Self::Name(name.chars().map(token).collect()),
        }
    }

    fn of_path(name: &str) -> Self {
        Self::Name(name.chars().map(Token::Char).collect())
    }

    fn is_deep(&self) -> bool {
        matches!(self, Self::Deep)
    }

    fn is_literal(&self) -> bool {
        match self {
            Self::Deep => false,
            Self::Name(tokens) => tokens.iter().all(|it| matches!(it, Token::Char(_))),
        }
    }

    fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(one), Self::Name(other)) => {
                share_a_word(one, other, |it| *it == Token::Star, Token::meets)
            }
            (Self::Deep, Self::Deep | Self::Name(_)) | (Self::Name(_), Self::Deep) => true,
        }
    }
}

impl Token {
    fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Char(one), Self::Char(other)) => one == other,
            (Self::Star | Self::One, _) | (_, Self::Star | Self::One) => true,
        }
    }
}

/// Whether two patterns have a word in common. A `wild` item stands for any number of letters,
/// any other for one; `meet` says whether two items can be the same letter.
///
/// Row by row over the suffixes of both: `row[j]` says whether `left[i..]` and `right[j..]`
/// share a word.
fn share_a_word<T>(
    left: &[T],
    right: &[T],
    wild: impl Fn(&T) -> bool,
    meet: impl Fn(&T, &T) -> bool,
) -> bool {
    // Past the end of `left` there is the empty word only.
    let mut below: Vec<bool> = vec![true; right.len() + 1];
    for (j, item) in right.iter().enumerate().rev() {
        below[j] = below[j + 1] && wild(item);
    }
    for mine in left.iter().rev() {
        let mut row = vec![false; right.len() + 1];
        row[right.len()] = below[right.len()] && wild(mine);
        for (j, theirs) in right.iter().enumerate().rev() {
            row[j] = if wild(mine) || wild(theirs) {
                // One of the two is used up, or takes in the item of the other.
                below[j] || row[j + 1]
            } else {
                below[j + 1] && meet(mine, theirs)
            };
        }
        below = row;
    }
    below[0]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_glob_covers_paths() {
        for (glob, path, expected) in [
            ("src/*.rs", "src/lib.rs", true),
            ("src/*.rs", "src/a/lib.rs", false),
            ("src/**/*.rs", "src/lib.rs", true),
            ("src/**/*.rs", "src/a/b/lib.rs", true),
            ("**/test.rs", "test.rs", true),
            ("src/**", "src/a/b", true),
            ("src/", "src/a/b", true),
            ("src/", "srcs/a", false),
            ("src", "src/a/b", true),
            ("./src//lib.rs", "src/lib.rs", true),
            ("lib.??", "lib.rs", true),
            ("lib.?", "lib.rs", false),
            ("a*b*c", "a--b--c", true),
            ("a*b*c", "a--c--b", false),
            ("*", "a", true),
            ("*", "a/b", false),
            ("*/", "a/b", true),
            ("", "anything/at/all", true),
            (".", "anything/at/all", true),
            ("app/[id].tsx", "app/[id].tsx", true),
            ("a/**b", "a/xb", true),
            ("literal", "lit*", false),
        ] {
            assert_eq!(Glob::new(glob).matches(path), expected, "{glob} on {path}");
        }
    }

    #[test]
    fn two_globs_may_share_a_path() {
        for (one, other, expected) in [
            ("src/*.rs", "src/lib.rs", true),
            ("src/a*.rs", "src/*b.rs", true),
            ("src/a*.rs", "src/b*.rs", false),
            ("src/", "src/lib.rs", true),
            ("src/", "docs/", false),
            ("src/**/x.rs", "src/a/**", true),
            ("**/x.rs", "src/**", true),
            ("**/x.rs", "src/*.py", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*", "docs", true),
            ("docs/*.md", "*", false),
            ("", "anything", true),
        ] {
            let (one_glob, other_glob) = (Glob::new(one), Glob::new(other));
            assert_eq!(
                one_glob.overlaps(&other_glob),
                expected,
                "{one} and {other}"
            );
            assert_eq!(
                other_glob.overlaps(&one_glob),
                expected,
                "{other} and {one}"
            );
        }
    }

    /// Backtracking would take longer than the universe has existed.
    #[test]
    fn hostile_globs_cost_no_more_than_their_lengths() {
        let (stars, deep) = ("a*".repeat(500), "**/a/".repeat(500));
        let (path, deep_path) = ("a".repeat(5000), "a/".repeat(2000));
        assert!(!Glob::new(&format!("{stars}b")).matches(&path));
        assert!(!Glob::new(&format!("{deep}b")).matches(&deep_path));
        assert!(!Glob::new(&format!("{stars}b")).overlaps(&Glob::new(&format!("{stars}c"))));
        assert!(!Glob::new(&format!("{deep}*b")).overlaps(&Glob::new(&format!("{deep}*c"))));
    }

    /// Every path of up to three components over two letters.
    fn paths() -> Vec<String> {
        let names = ["a", "b", "aa", "ab", "ba", "bb"];
        let mut paths: Vec<String> = names.iter().map(|it| (*it).to_owned()).collect();
        let mut last = paths.clone();
        for _ in 0..2 {
            let deeper = |path: &String| names.map(|name| format!("{path}/{name}"));
            last = last.iter().flat_map(deeper).collect();
            paths.extend(last.iter().cloned());
        }
        paths
    }

    /// The definition, by backtracking.
    fn matches_by_definition(glob: &[Component], path: &[&str]) -> bool {
        match (glob.split_first(), path.split_first()) {
            (None, None) => true,
            (None, Some(_)) => false,
            (Some((Component::Deep, rest)), _) => {
                (0..=path.len()).any(|skip| matches_by_definition(rest, &path[skip..]))
            }
            (Some((Component::Name(_), _)), None) => false,
            (Some((Component::Name(tokens), rest)), Some((name, path))) => {
                let name: Vec<char> = name.chars().collect();
                name_by_definition(tokens, &name) && matches_by_definition(rest, path)
            }
        }
    }

    fn name_by_definition(tokens: &[Token], name: &[char]) -> bool {
        match (tokens.split_first(), name.split_first()) {
            (None, None) => true,
            (None, Some(_)) => false,
            (Some((Token::Star, rest)), _) => {
                (0..=name.len()).any(|skip| name_by_definition(rest, &name[skip..]))
            }
            (Some((Token::One | Token::Char(_), _)), None) => false,
            (Some((Token::One, rest)), Some((_, name))) => name_by_definition(rest, name),
            (Some((Token::Char(c), rest)), Some((first, name))) => {
                c == first && name_by_definition(rest, name)
            }
        }
    }

    proptest! {
        #[test]
        fn matching_is_as_defined(glob in "[ab*?/]{0,8}") {
            let glob = Glob::new(&glob);
            for path in paths() {
                let components: Vec<&str> = path.split('/').collect();
                prop_assert_eq!(
                    glob.matches(&path),
                    matches_by_definition(&glob.components, &components),
                    "{:?} on {}", glob, path
                );
            }
        }

        #[test]
        fn globs_that_cover_one_path_overlap(one in "[ab*?/]{0,6}", other in "[ab*?/]{0,6}") {
            let (one, other) = (Glob::new(&one), Glob::new(&other));
            let shared = paths().into_iter().find(|path| one.matches(path) && other.matches(path));
            if let Some(path) = shared {
                prop_assert!(one.overlaps(&other), "both cover {}", path);
            }
            prop_assert_eq!(one.overlaps(&other), other.overlaps(&one));
        }

        #[test]
        fn any_text_is_a_glob(one in ".{0,30}", other in ".{0,30}") {
            let (one_glob, other_glob) = (Glob::new(&one), Glob::new(&other));
            let _ = one_glob.matches(&other);
            let _ = one_glob.overlaps(&other_glob);
        }
    }
}
