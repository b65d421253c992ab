//! `/hook/{id}` and `/lease/{id}`: the hooks of the workers, and what a coordinator answers.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use coord_protocol::{ErrorBody, LeaseAnswer, LeaseTaken};

use super::body::{self, JsonBytes};
use super::reject::Rejection;
use super::{Ctx, find, guard};
use crate::active::Active;
use crate::leases::{Call, Check, Moment, after, before};
use crate::registry::Found;

/// The path below which the token of the one assignment opens, and no other.
pub(crate) const HOOK: &str = "/hook/";

/// The largest call that is read, in bytes: after an edit the CLI hands the whole old file over.
const LARGEST_CALL: usize = 32 * 1024 * 1024;

/// What the CLI of a worker asks before and after its tool calls. The answer is what the hook prints.
pub(crate) async fn hook(
    State(ctx): State<Ctx>,
    path: Path<String>,
    request: Request,
) -> Result<String, Rejection> {
    let (active, check) = opened(&ctx, &path, &request)?;
    let bytes = body::json_up_to(request, LARGEST_CALL).await?;
    let Some(call) = Call::parse(&bytes) else {
        return Err(Rejection::bad("the body is no call of a hook"));
    };
    // A hook that is gone must not leave a reservation or half a look.
    let answer = match call.moment {
        Moment::Before => tokio::spawn(before(ctx, active, check, call, bytes)),
        Moment::After | Moment::AfterFailure => {
            tokio::spawn(after(ctx, active, check, call.moment))
        }
    };
    Ok(answer.await?)
}

/// Whose hook it is. Whoever does not know its token does not learn whether there is such an assignment.
fn opened(
    ctx: &Ctx,
    path: &Path<String>,
    request: &Request,
) -> Result<(Arc<Active>, Check), Rejection> {
    let token = guard::token(request.headers()).unwrap_or_default();
    match find(ctx, path) {
        Ok((_, Found::Active(active))) if active.token.is(token) => match Check::of(&active) {
            Some(check) => Ok((active, check)),
            None => Err(Rejection::unauthorized()),
        },
        Ok((_, Found::Active(_) | Found::Finished(_))) | Err(_) => Err(Rejection::unauthorized()),
    }
}

/// The answer to a `lease_asked` event.
#[utoipa::path(post, path = "/lease/{id}", params(("id" = String, Path)),
    request_body = LeaseAnswer, responses(
    (status = 200, body = LeaseTaken, description = "whether somebody still waited for it"),
    (status = 404, body = ErrorBody),
))]
pub(crate) async fn answer(
    State(ctx): State<Ctx>,
    path: Path<String>,
    JsonBytes(bytes): JsonBytes,
) -> Result<Json<LeaseTaken>, Rejection> {
    let answer: LeaseAnswer = body::parse(&bytes)?;
    let (id, _) = find(&ctx, &path)?;
    let taken = ctx.leases.asks.answer(&id, answer);
    Ok(Json(LeaseTaken { taken }))
}
