//! Lists that come in pages, read to their end.

use std::ops::ControlFlow;

use http::Method;
use http::header::LINK;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::address::with_query;
use crate::client::{Connection, JSON};
use crate::error::CallError;
use crate::stack::Answer;

/// More pages than any list of GitHub's has; a server that always names a next one ends here.
const MOST_PAGES: usize = 10_000;

impl Connection {
    /// Every page of a list, one after another, until `each` breaks. How long a page is
    /// (`per_page`) is part of `query`.
    pub(crate) async fn get_pages<P: DeserializeOwned>(
        &self,
        route: &str,
        query: &[(&str, &str)],
        mut each: impl FnMut(P) -> ControlFlow<()>,
    ) -> Result<(), CallError> {
        let mut route = with_query(route, query);
        let mut last: Option<Answer> = None;
        for _ in 0..MOST_PAGES {
            let answer = self.read(&route, JSON).await?;
            if is_repeated(&answer, last.as_ref()) {
                return Ok(());
            }
            let page = self.parse(&Method::GET, &route, &answer)?;
            if each(page).is_break() {
                return Ok(());
            }
            match self.next(&route, &answer)? {
                Some(next) if next != route => route = next,
                Some(_) | None => return Ok(()),
            }
            last = Some(answer);
        }
        Err(CallError::Unusable {
            what: format!("{route} has no last page"),
            hint: None,
            source: None,
        })
    }

    /// Every element of a list.
    pub(crate) async fn get_all<T: DeserializeOwned>(
        &self,
        route: &str,
        query: &[(&str, &str)],
    ) -> Result<Vec<T>, CallError> {
        let mut all = Vec::new();
        self.get_pages(route, query, |page: Vec<T>| {
            all.extend(page);
            ControlFlow::Continue(())
        })
        .await?;
        Ok(all)
    }

    fn next(&self, route: &str, answer: &Answer) -> Result<Option<String>, CallError> {
        if let Some(link) = next_link(answer) {
            return match self.api().route_of(link) {
                Some(next) => Ok(Some(next)),
                None => Err(CallError::Unusable {
                    what: format!("the next page of {route} is on another server"),
                    hint: Some(format!(
                        "is `{}` the address that the server gives itself?",
                        self.api()
                    )),
                    source: None,
                }),
            };
        }
        Ok(page_after(route, answer))
    }
}

/// The next page of one that is full, although no link names it. An ETag covers the page and not
/// the list: what was the last page may have got a successor and be confirmed as unchanged, with
/// the links of old. It is asked for the first time too, so that it has an ETag of its own later.
fn page_after(route: &str, answer: &Answer) -> Option<String> {
    let per_page: usize = query_value(route, "per_page")?.parse().ok()?;
    let elements: Vec<IgnoredAny> = serde_json::from_slice(answer.body()).ok()?;
    if per_page == 0 || elements.len() < per_page {
        return None;
    }
    let page: u64 = query_value(route, "page").map_or(Ok(1), str::parse).ok()?;
    let (path, query) = route.split_once('?')?;
    let kept: Vec<&str> = query
        .split('&')
        .filter(|pair| !pair.starts_with("page="))
        .collect();
    let next = page.checked_add(1)?;
    Some(format!("{path}?{}&page={next}", kept.join("&")))
}

fn query_value<'a>(route: &'a str, name: &str) -> Option<&'a str> {
    let (_, query) = route.split_once('?')?;
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}

/// Whether a route that knows no pages has given the same list again.
fn is_repeated(answer: &Answer, last: Option<&Answer>) -> bool {
    last.is_some_and(|last| next_link(last).is_none() && last.body() == answer.body())
}

/// `<https://…?page=2>; rel="next", <…>; rel="last"` (RFC 8288).
fn next_link(answer: &Answer) -> Option<&str> {
    let header = answer.headers().get(LINK)?.to_str().ok()?;
    let mut rest = header;
    while let Some(start) = rest.find('<') {
        let (target, behind) = rest[start + 1..].split_once('>')?;
        let end = behind.find('<').unwrap_or(behind.len());
        if is_next(&behind[..end]) {
            return Some(target);
        }
        rest = &behind[end..];
    }
    None
}

fn is_next(parameters: &str) -> bool {
    parameters.split([';', ',']).any(|parameter| {
        parameter
            .trim()
            .split_once('=')
            .is_some_and(|(key, value)| {
                key.trim().eq_ignore_ascii_case("rel")
                    && value
                        .trim()
                        .trim_matches('"')
                        .split_ascii_whitespace()
                        .any(|rel| rel.eq_ignore_ascii_case("next"))
            })
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn answer(link: &str, body: &str) -> Answer {
        http::Response::builder()
            .header(LINK, link)
            .body(Bytes::copy_from_slice(body.as_bytes()))
            .unwrap()
    }

    #[test]
    fn the_next_page_is_found() {
        for (link, next) in [
            (
                r#"<https://a/?page=2>; rel="next", <https://a/?page=9>; rel="last""#,
                Some("https://a/?page=2"),
            ),
            (
                r#"<https://a/?q=x,y&page=1>; rel="prev", <https://a/?q=x,y&page=3>; rel=next"#,
                Some("https://a/?q=x,y&page=3"),
            ),
            (r#"<https://a/?page=1>; title="a"; rel="first""#, None),
            (r#"<https://a"#, None),
            ("", None),
            (r#"<https://a/?rel=next>; rel="prev""#, None),
        ] {
            assert_eq!(next_link(&answer(link, "")), next, "{link}");
        }
    }

    #[test]
    fn only_a_full_page_may_have_a_successor() {
        let full = answer("", "[1,2]");
        let next = |route| page_after(route, &full);
        assert_eq!(
            next("/a?per_page=2").as_deref(),
            Some("/a?per_page=2&page=2")
        );
        assert_eq!(
            next("/a?page=4&per_page=2&x=y").as_deref(),
            Some("/a?per_page=2&x=y&page=5")
        );
        for route in ["/a", "/a?per_page=3", "/a?per_page=x", "/a?per_page=0"] {
            assert_eq!(next(route), None, "{route}");
        }
        assert_eq!(page_after("/a?per_page=1", &answer("", "{}")), None);
    }
}
