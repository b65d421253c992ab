//! Lists in pages, with `Link` headers.

use serde_json::Value;

use super::exchange::{Answer, Call};
use super::uri;

/// What GitHub takes when nothing is asked for.
const PER_PAGE: usize = 30;

/// The part of a list that a request asks for.
pub(crate) struct Page {
    number: usize,
    size: usize,
    pages: usize,
}

impl Page {
    /// The page of a list of `total`.
    pub(crate) fn of(call: &Call<'_>, total: usize) -> Self {
        let number = |name: &str, default: usize| {
            let asked = call.asked(name).and_then(|value| value.parse().ok());
            asked.unwrap_or(default).max(1)
        };
        let size = number("per_page", PER_PAGE);
        Self {
            number: number("page", 1),
            size,
            pages: total.div_ceil(size).max(1),
        }
    }

    /// Its items.
    pub(crate) fn cut<'a, T>(&self, items: &'a [T]) -> &'a [T] {
        let start = ((self.number - 1).saturating_mul(self.size)).min(items.len());
        &items[start..(start + self.size).min(items.len())]
    }

    /// The answer with the links to the other pages.
    pub(crate) fn answer(&self, call: &Call<'_>, body: Value) -> Answer {
        let answer = Answer::json(200, body);
        match self.links(call) {
            links if links.is_empty() => answer,
            links => answer.with("link", links.join(", ")),
        }
    }

    fn links(&self, call: &Call<'_>) -> Vec<String> {
        let mut links = Vec::new();
        let mut link = |rel: &str, page: usize| {
            let mut query = call.query.clone();
            query.insert("page".to_owned(), page.to_string());
            let pairs = query.iter();
            let pairs = pairs.map(|(name, value)| format!("{name}={}", uri::encode(value)));
            let query = pairs.collect::<Vec<_>>().join("&");
            links.push(format!("<{}?{query}>; rel=\"{rel}\"", call.address));
        };
        if self.number > 1 {
            link("prev", (self.number - 1).min(self.pages));
        }
        if self.number < self.pages {
            link("next", self.number + 1);
            link("last", self.pages);
        }
        if self.number > 1 {
            link("first", 1);
        }
        links
    }
}

/// A whole list as one page of it.
pub(crate) fn paged<T>(call: &Call<'_>, items: &[T], show: impl Fn(&T) -> Value) -> Answer {
    let page = Page::of(call, items.len());
    page.answer(call, page.cut(items).iter().map(show).collect())
}
