//! Reads that failed for reasons that pass are sent again, soon and seldom. Writes are not: the
//! caller has to look first for what they may have done.

use std::time::Duration;

use http::StatusCode;
use http::header::RETRY_AFTER;
use tower::{ServiceExt, service_fn};

use super::{Answer, Call, Fault, Next, is_read};

const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(400)];

pub(super) fn layer(inner: impl Next) -> impl Next {
    service_fn(move |call: Call| send(inner.clone(), call))
}

async fn send(inner: impl Next, call: Call) -> Result<Answer, Fault> {
    if !is_repeatable(&call) {
        return inner.oneshot(call).await;
    }
    for pause in PAUSES {
        let result = inner.clone().oneshot(call.clone()).await;
        if !passes(&result) {
            return result;
        }
        tokio::time::sleep(pause).await;
    }
    inner.oneshot(call).await
}

/// A second token of an installation does no harm: each ends by itself.
fn is_repeatable(call: &Call) -> bool {
    is_read(call) || call.uri().path().ends_with("/access_tokens")
}

/// Whether it may be better in a moment.
fn passes(result: &Result<Answer, Fault>) -> bool {
    match result {
        Ok(answer) => {
            let is_overload = matches!(
                answer.status(),
                StatusCode::INTERNAL_SERVER_ERROR
                    | StatusCode::BAD_GATEWAY
                    | StatusCode::SERVICE_UNAVAILABLE
                    | StatusCode::GATEWAY_TIMEOUT
            );
            is_overload && !answer.headers().contains_key(RETRY_AFTER)
        }
        Err(Fault::Unreachable(_) | Fault::Broken(_)) => true,
        Err(Fault::TimedOut(_) | Fault::TooLarge(_) | Fault::Limited { .. }) => false,
    }
}
