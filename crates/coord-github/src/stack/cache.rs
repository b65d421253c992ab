//! Conditional requests: what GitHub said before is asked for again with its ETag.

use coord_store::{CachedAnswer, ForgeCache, StoreError};
use http::header::{ACCEPT, ETAG, IF_NONE_MATCH, LINK};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::de::IgnoredAny;
use tower::{ServiceExt, service_fn};

use super::{Answer, Call, Fault, Next, is_read, route};
use crate::client::JSON;
use crate::github::Clock;

pub(super) fn layer(cache: ForgeCache, clock: Clock, inner: impl Next) -> impl Next {
    service_fn(move |call: Call| ask(cache.clone(), clock.clone(), inner.clone(), call))
}

async fn ask(
    cache: ForgeCache,
    clock: Clock,
    inner: impl Next,
    mut call: Call,
) -> Result<Answer, Fault> {
    let is_json = call
        .headers()
        .get(ACCEPT)
        .is_some_and(|accept| accept == JSON);
    if !is_read(&call) || !is_json {
        return inner.oneshot(call).await;
    }
    let url = route(&call).to_owned();
    let known = or_nothing("read", cache.answer(&url).await).flatten();
    let tag = known
        .as_ref()
        .and_then(|it| HeaderValue::from_str(&it.etag).ok());
    if let Some(tag) = tag {
        call.headers_mut().insert(IF_NONE_MATCH, tag);
    }
    let answer = inner.oneshot(call).await?;
    match known {
        Some(known) if answer.status() == StatusCode::NOT_MODIFIED => Ok(again(known, &answer)),
        Some(_) | None => {
            if let Some(new) = worth_keeping(&answer) {
                or_nothing("write", cache.keep_answer(&url, new, clock()).await);
            }
            Ok(answer)
        }
    }
}

/// A cache that does not work costs requests, and nothing else.
fn or_nothing<T>(verb: &str, result: Result<T, StoreError>) -> Option<T> {
    result
        .inspect_err(|error| tracing::warn!(%error, "cannot {verb} the cache of github's answers"))
        .ok()
}

/// The answer from before, which the server has just confirmed.
fn again(known: CachedAnswer, confirmation: &Answer) -> Answer {
    let mut answer = Answer::new(known.body.into());
    *answer.headers_mut() = confirmation.headers().clone();
    if !answer.headers().contains_key(LINK) {
        let link = known
            .link
            .and_then(|link| HeaderValue::from_str(&link).ok());
        if let Some(link) = link {
            answer.headers_mut().insert(LINK, link);
        }
    }
    answer
}

/// What a later request can be compared with. A body that is no JSON would be confirmed for ever.
fn worth_keeping(answer: &Answer) -> Option<CachedAnswer> {
    if answer.status() != StatusCode::OK {
        return None;
    }
    let etag = text_of(answer.headers(), &ETAG)?;
    serde_json::from_slice::<IgnoredAny>(answer.body()).ok()?;
    Some(CachedAnswer {
        etag,
        body: answer.body().to_vec(),
        link: text_of(answer.headers(), &LINK),
    })
}

fn text_of(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let text = headers.get(name)?.to_str().ok()?;
    Some(text.to_owned())
}
