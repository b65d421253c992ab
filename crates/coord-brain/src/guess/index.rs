//! The files of a repository by path, by folder and by name.

/// How many files of the same name are all meant by that name.
const SAME_NAME: usize = 2;
/// A folder with more than that share of all files says nothing about where something is ...
const SHARE: usize = 3;
/// ... unless it has no more files than these.
const SMALL: usize = 20;

pub(crate) struct Index<'a> {
    /// Sorted.
    paths: Vec<&'a str>,
    /// What the name of a file begins with, up to its first dot, and the file; sorted.
    stems: Vec<(&'a str, &'a str)>,
}

impl<'a> Index<'a> {
    pub(super) fn new(files: &'a [String]) -> Self {
        let mut paths: Vec<&str> = files.iter().map(String::as_str).collect();
        // Costs a pass where they come sorted already.
        paths.sort_unstable();
        let mut stems: Vec<(&str, &str)> = paths.iter().map(|path| (stem(path), *path)).collect();
        stems.sort_unstable();
        Self { paths, stems }
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.paths.binary_search(&path).is_ok()
    }

    /// The file or folder that a text names: by its whole path, or by the end of it where that is not
    /// in many places.
    pub(super) fn named(&self, mention: &str) -> Vec<String> {
        if self.has(mention) {
            return vec![mention.to_owned()];
        }
        let folder = format!("{}/", mention.trim_end_matches('/'));
        match self.files_in(&folder) {
            0 => self.ending(mention),
            many if many > SMALL && many * SHARE > self.paths.len() => Vec::new(),
            _ => vec![folder],
        }
    }

    /// How many files a folder holds.
    fn files_in(&self, folder: &str) -> usize {
        let start = self.paths.partition_point(|path| *path < folder);
        let after = self.paths.get(start..).unwrap_or_default();
        after.partition_point(|path| path.starts_with(folder))
    }

    fn ending(&self, mention: &str) -> Vec<String> {
        let ending = format!("/{mention}");
        let found = self.stemmed(stem(mention));
        let found: Vec<String> = found
            .filter(|path| path.ends_with(&ending))
            .map(str::to_owned)
            .collect();
        match found.len() {
            0..=SAME_NAME => found,
            _ => Vec::new(),
        }
    }

    /// The files that are called like a symbol, in one of the ways in which files are named.
    pub(super) fn called(&self, symbol: &str) -> Vec<&'a str> {
        let snake = snake_case(symbol);
        let mut spellings = vec![symbol.to_owned(), snake.replace('_', "-"), snake];
        spellings.sort_unstable();
        spellings.dedup();
        let found = spellings.iter().flat_map(|it| self.stemmed(it));
        let found: Vec<&str> = found.collect();
        match found.len() {
            0..=SAME_NAME => found,
            _ => Vec::new(),
        }
    }

    fn stemmed(&self, stem: &str) -> impl Iterator<Item = &'a str> {
        let start = self.stems.partition_point(|(it, _)| *it < stem);
        let after = self.stems.get(start..).unwrap_or_default();
        let end = after.partition_point(|(it, _)| *it == stem);
        after
            .get(..end)
            .unwrap_or_default()
            .iter()
            .map(|(_, path)| *path)
    }
}

/// `cart` of `src/cart.test.ts`; all of a name that begins with a dot.
fn stem(path: &str) -> &str {
    let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
    match name.split_once('.') {
        Some(("", _)) | None => name,
        Some((stem, _)) => stem,
    }
}

/// `LineParser` is `line_parser`, and `HTTPServer` is `http_server`.
fn snake_case(symbol: &str) -> String {
    let mut out = String::with_capacity(symbol.len() + 4);
    let mut before: Option<char> = None;
    let mut chars = symbol.chars().peekable();
    while let Some(c) = chars.next() {
        let next_is_small = chars.peek().is_some_and(|next| next.is_lowercase());
        let hump =
            before.is_some_and(|it| it.is_lowercase() || (it.is_uppercase() && next_is_small));
        if c.is_uppercase() && hump {
            out.push('_');
        }
        out.extend(c.to_lowercase());
        before = Some(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spellings_of_a_symbol() {
        for (symbol, expected) in [
            ("LineParser", "line_parser"),
            ("HTTPServer", "http_server"),
            ("parse_line", "parse_line"),
            ("totalPrice", "total_price"),
            ("Cart", "cart"),
        ] {
            assert_eq!(snake_case(symbol), expected);
        }
    }

    #[test]
    fn a_mention_means_a_file_a_folder_or_nothing() {
        let mut files: Vec<String> = [
            "README.md",
            "src/api/mod.rs",
            "src/api/routes.rs",
            "src/cart/mod.rs",
            "src/cart/total.rs",
            "src/mod.rs",
            "web/line-parser.ts",
        ]
        .map(str::to_owned)
        .to_vec();
        files.extend((0..40).map(|n| format!("src/gen/{n}.rs")));
        let index = Index::new(&files);
        for (mention, expected) in [
            ("README.md", vec!["README.md"]),
            ("src/api", vec!["src/api/"]),
            ("src/api/", vec!["src/api/"]),
            ("cart/total.rs", vec!["src/cart/total.rs"]),
            ("total.rs", vec!["src/cart/total.rs"]),
            ("mod.rs", vec![]),
            ("src/ap", vec![]),
            ("src/", vec![]),
            ("nowhere.rs", vec![]),
        ] {
            assert_eq!(index.named(mention), expected, "{mention}");
        }
        assert_eq!(index.called("LineParser"), ["web/line-parser.ts"]);
        assert_eq!(index.called("Nobody"), Vec::<&str>::new());
    }
}
