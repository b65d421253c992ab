//! What every request goes through: who asks, how often, and whether the description allows it;
//! and what every answer goes through before it is sent.

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::Value;

use super::account::{Credential, Grant, Need, Viewer};
use super::contract::{Operation, Params, contract};
use super::exchange::{Answer, Call, Content, broken, not_found, refusal};
use super::routes;
use super::uri;
use super::world::{World, digest};

/// The versions of the API that GitHub knows.
const API_VERSIONS: &[&str] = &["2022-11-28", "2026-03-10"];

/// Whose version an Enterprise server tells.
const ENTERPRISE_VERSION: &str = "3.18.0";

/// One request, read to its end.
#[derive(Debug, Clone)]
pub(crate) struct Incoming {
    pub(crate) method: Method,
    /// Without the query, with an Enterprise server's prefix.
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Incoming {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// A request that the description knows.
struct Asked<'a> {
    incoming: &'a Incoming,
    operation: &'static Operation,
    params: Params,
    viewer: Option<Viewer>,
    need: Need,
}

impl World {
    /// Carries a request out and makes its answer ready to be sent.
    pub(crate) fn answer(&mut self, incoming: &Incoming) -> Answer {
        let now = self.now();
        self.rate.refill(now);
        let answer = self.find_and_carry_out(incoming);
        self.finish(answer)
    }

    /// Whose token a request came with.
    pub(crate) fn account(&self, incoming: &Incoming) -> Option<String> {
        let viewer = self.viewer(incoming.header("authorization"));
        viewer.ok().flatten().map(|viewer| viewer.login)
    }

    /// The path without the prefix of an Enterprise server.
    pub(crate) fn below<'a>(&self, path: &'a str) -> Option<&'a str> {
        path.strip_prefix(self.prefix)
    }

    fn find_and_carry_out(&mut self, incoming: &Incoming) -> Answer {
        let method = incoming.method.as_str();
        let found = self.below(&incoming.path);
        let found = found.and_then(|path| contract().find(method, path));
        let Some((operation, params)) = found else {
            return self.violated(
                incoming,
                not_found(),
                &["not in the description".to_owned()],
            );
        };
        let Some((handler, need)) = routes::find(operation.method, operation.path) else {
            return broken(format!(
                "no handler for {} {}",
                operation.method, operation.path
            ));
        };
        let mut asked = Asked {
            incoming,
            operation,
            params,
            viewer: None,
            need,
        };
        let reply = self.carry_out(&mut asked, handler);
        let mut answer = reply.unwrap_or_else(|answer| answer);
        self.check(&asked, &answer);
        if answer.status == 200 && incoming.method == Method::GET {
            answer = self.tagged(incoming, answer);
        }
        let headers = asked.viewer.map(|viewer| viewer.grant.headers(need));
        answer.headers.extend(headers.into_iter().flatten());
        answer
    }

    fn carry_out(
        &mut self,
        asked: &mut Asked<'_>,
        handler: routes::Handler,
    ) -> Result<Answer, Answer> {
        self.check_headers(asked.incoming)?;
        asked.viewer = self.viewer(asked.incoming.header("authorization"))?;
        self.rate.take()?;
        let body = self.check_request(asked)?;
        let in_repo = asked.params.contains_key("owner");
        if in_repo {
            self.check_access(asked)?;
        }
        // Nobody: what is public is all there is.
        let anonymous = Viewer {
            login: "ghost".to_owned(),
            grant: Grant::Scopes(Vec::new()),
        };
        let viewer = match (&asked.viewer, in_repo) {
            (Some(viewer), _) => viewer.clone(),
            (None, true) if !asked.need.write => anonymous,
            (None, _) => return Err(refusal(401, "Requires authentication")),
        };
        let incoming = asked.incoming;
        let address = format!("{}{}", self.origin, incoming.path);
        let mut call = Call {
            world: self,
            viewer: &viewer,
            params: asked.params.clone(),
            query: uri::query(&incoming.query),
            body,
            accept: incoming.header("accept").unwrap_or_default().to_owned(),
            address,
        };
        if in_repo {
            let now = call.world.now();
            call.repo_mut()?.follow_branches(now).map_err(broken)?;
        }
        handler(&mut call)
    }

    fn check_headers(&mut self, incoming: &Incoming) -> Result<(), Answer> {
        if incoming.header("user-agent").is_none_or(str::is_empty) {
            let message = "Request forbidden by administrative rules. Please make sure your \
                           request has a User-Agent header.";
            let found = ["no User-Agent".to_owned()];
            return Err(self.violated(incoming, refusal(403, message), &found));
        }
        let version = incoming.header("x-github-api-version");
        if let Some(version) = version.filter(|version| !API_VERSIONS.contains(version)) {
            let message = format!("Version '{version}' is not supported.");
            let answer = refusal(400, &message);
            return Err(self.violated(incoming, answer, &[message]));
        }
        Ok(())
    }

    /// The body, when path, query and body are what the description allows.
    fn check_request(&mut self, asked: &Asked<'_>) -> Result<Value, Answer> {
        let Asked {
            incoming,
            operation,
            params,
            ..
        } = asked;
        let errors = operation.path_errors(params);
        if !errors.is_empty() {
            return Err(self.violated(incoming, not_found(), &errors));
        }
        let body = match incoming.body.is_empty() {
            true => None,
            false => match serde_json::from_slice::<Value>(&incoming.body) {
                Ok(body) => Some(body),
                Err(error) => {
                    let answer = refusal(400, "Problems parsing JSON");
                    return Err(self.violated(incoming, answer, &[error.to_string()]));
                }
            },
        };
        let mut errors = operation.query_errors(&uri::query(&incoming.query));
        errors.extend(operation.body_errors(body.as_ref()));
        if errors.is_empty() {
            return Ok(body.unwrap_or(Value::Null));
        }
        let message = format!("Invalid request.\n\n{}", errors.join("\n"));
        Err(self.violated(incoming, refusal(422, &message), &errors))
    }

    fn check_access(&self, asked: &Asked<'_>) -> Result<(), Answer> {
        let repo = self.repo(&asked.params["owner"], &asked.params["repo"]);
        let repo = repo.ok_or_else(not_found)?;
        let Some(viewer) = &asked.viewer else {
            return if repo.private {
                Err(not_found())
            } else {
                Ok(())
            };
        };
        if repo.hidden_from.contains(&viewer.login.to_lowercase()) {
            return Err(not_found());
        }
        if let Grant::App(_) = viewer.grant {
            return viewer.grant.allows(asked.need);
        }
        if repo.private && !viewer.grant.sees_private() {
            return Err(not_found());
        }
        viewer.grant.allows(asked.need)
    }

    fn violated(&mut self, incoming: &Incoming, answer: Answer, errors: &[String]) -> Answer {
        for error in errors {
            let Incoming { method, path, .. } = incoming;
            self.violations
                .push(format!("request {method} {path}: {error}"));
        }
        answer
    }

    /// Holds our own answer against the description.
    fn check(&mut self, asked: &Asked<'_>, answer: &Answer) {
        let Content::Json(body) = &answer.content else {
            return;
        };
        let errors = match answer.status {
            599 => vec![body["message"].to_string()],
            status => contract().answer(asked.operation, status, body),
        };
        let Incoming { method, path, .. } = asked.incoming;
        for error in errors {
            let status = answer.status;
            self.violations
                .push(format!("answer {status} to {method} {path}: {error}"));
        }
    }

    /// With its `ETag`; 304 when the client has it already.
    fn tagged(&mut self, incoming: &Incoming, answer: Answer) -> Answer {
        let tag = format!("{:016x}", digest(answer.bytes()));
        let known = incoming.header("if-none-match").unwrap_or_default();
        let mut known = known
            .split(',')
            .map(|tag| tag.trim().trim_start_matches("W/"));
        let header = format!("W/\"{tag}\"");
        if !known.any(|known| known.trim_matches('"') == tag) {
            return answer.with("etag", header);
        }
        self.rate.give_back();
        Answer {
            status: 304,
            headers: vec![("etag", header)],
            content: Content::Nothing,
        }
    }

    /// The headers that every answer has.
    pub(crate) fn finish(&mut self, mut answer: Answer) -> Answer {
        for (name, value) in self.rate.headers() {
            if answer.headers.iter().all(|(known, _)| *known != name) {
                answer.headers.push((name, value));
            }
        }
        let id = self.seen.len();
        answer
            .headers
            .push(("x-github-request-id", format!("FAKE:{id:08X}")));
        answer
            .headers
            .push(("x-github-media-type", "github.v3; format=json".to_owned()));
        if !self.prefix.is_empty() {
            let version = ENTERPRISE_VERSION.to_owned();
            answer
                .headers
                .push(("x-github-enterprise-version", version));
        }
        answer
    }

    /// A token for somebody.
    pub(crate) fn add_token(&mut self, login: &str, token: &str, grant: Grant) {
        self.people.insert(login.to_lowercase());
        let credential = Credential {
            login: login.to_owned(),
            grant,
            expires: None,
        };
        self.credentials.insert(token.to_owned(), credential);
    }
}
