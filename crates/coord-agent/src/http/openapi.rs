//! The OpenAPI document of the agent, generated from the types of the wire.

use utoipa::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};

use super::{assignments, leases, logs, machine, streams, wip, worktrees};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "coord agent",
        description = "Starts, shows and stops workers on one machine."
    ),
    paths(
        machine::health,
        machine::repos,
        assignments::status,
        assignments::assign,
        assignments::cancel,
        assignments::input,
        logs::logs,
        streams::stream,
        streams::events,
        leases::answer,
        wip::wip,
        worktrees::diff,
        worktrees::remove,
    ),
    modifiers(&Token),
    security(("token" = []), ())
)]
struct Document;

/// The bearer token; an agent on loopback may do without.
struct Token;

impl utoipa::Modify for Token {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        document
            .components
            .get_or_insert_default()
            .add_security_scheme("token", scheme);
    }
}

/// The document.
pub(crate) fn document() -> utoipa::openapi::OpenApi {
    Document::openapi()
}
