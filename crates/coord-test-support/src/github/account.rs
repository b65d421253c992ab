//! Who asks: tokens of people, apps and installations, and what they may do.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::exchange::{Answer, Call, Reply, created, not_found, ok, refusal};
use super::shape::shape;
use super::world::{World, digest, stamp};

const HOUR: i64 = 3600;

/// GitHub allows ten minutes, and a minute for clocks that differ.
const LONGEST_JWT: i64 = 660;

/// A token.
#[derive(Debug, Clone)]
pub(crate) struct Credential {
    pub(crate) login: String,
    pub(crate) grant: Grant,
    /// Seconds since the epoch.
    pub(crate) expires: Option<i64>,
}

/// What a token allows.
#[derive(Debug, Clone)]
pub(crate) enum Grant {
    /// A personal token with OAuth scopes.
    Scopes(Vec<String>),
    /// A fine-grained personal token: permission to `read` or `write`.
    Permissions(BTreeMap<String, String>),
    /// An installation of an app, with its permissions.
    Installation(BTreeMap<String, String>),
    /// The app itself, by a JWT.
    App(u64),
}

/// A GitHub App with one installation.
#[derive(Debug, Clone)]
pub(crate) struct App {
    pub(crate) slug: String,
    pub(crate) installation: u64,
    pub(crate) permissions: BTreeMap<String, String>,
}

/// Who makes a request.
#[derive(Debug, Clone)]
pub(crate) struct Viewer {
    pub(crate) login: String,
    pub(crate) grant: Grant,
}

/// What an operation asks of a token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Need {
    /// Any of these is enough; none needed when empty.
    pub(crate) permissions: &'static [&'static str],
    pub(crate) write: bool,
}

/// What an app has when nothing else is said.
const APP_PERMISSIONS: &[(&str, &str)] = &[
    ("administration", "read"),
    ("checks", "read"),
    ("contents", "write"),
    ("issues", "write"),
    ("metadata", "read"),
    ("pull_requests", "write"),
    ("statuses", "read"),
];

impl App {
    pub(crate) fn new(slug: &str, installation: u64) -> Self {
        let pair = |(name, level): &(&str, &str)| ((*name).to_owned(), (*level).to_owned());
        Self {
            slug: slug.to_owned(),
            installation,
            permissions: APP_PERMISSIONS.iter().map(pair).collect(),
        }
    }

    /// Its account.
    pub(crate) fn login(&self) -> String {
        format!("{}[bot]", self.slug)
    }
}

impl World {
    /// Who an `Authorization` header stands for; `None` without one.
    pub(crate) fn viewer(&self, authorization: Option<&str>) -> Result<Option<Viewer>, Answer> {
        let Some(authorization) = authorization else {
            return Ok(None);
        };
        let (scheme, token) = authorization.split_once(' ').unwrap_or_default();
        let known = ["bearer", "token"].contains(&scheme.to_lowercase().as_str());
        let found = match self.credentials.get(token) {
            Some(found) => found.clone(),
            None if token.split('.').count() == 3 => self.jwt(token)?,
            None => return Err(bad_credentials()),
        };
        let expired = found.expires.is_some_and(|at| at <= self.now());
        if !known || expired {
            return Err(bad_credentials());
        }
        Ok(Some(Viewer {
            login: found.login,
            grant: found.grant,
        }))
    }

    /// Checks what an app's JWT says; its signature is not looked at.
    fn jwt(&self, token: &str) -> Result<Credential, Answer> {
        let unreadable = || refusal(401, "A JSON web token could not be decoded");
        let mut parts = token.split('.').map(|part| {
            let bytes = base64_url(part)?;
            serde_json::from_slice::<Value>(&bytes).ok()
        });
        let head = parts.next().flatten().ok_or_else(unreadable)?;
        let claims = parts.next().flatten().ok_or_else(unreadable)?;
        if head["alg"] != "RS256" {
            return Err(unreadable());
        }
        let issuer = claims["iss"].as_u64();
        let issuer = issuer.or_else(|| claims["iss"].as_str()?.parse().ok());
        let (id, app) = issuer
            .and_then(|id| Some((id, self.apps.get(&id)?)))
            .ok_or_else(|| refusal(401, "Integration must generate a public key"))?;
        let now = self.now();
        let expires = claims["exp"].as_i64().unwrap_or_default();
        if expires <= now {
            let message = "'Expiration time' claim ('exp') must be a numeric value representing \
                           the future time at which the assertion expires";
            return Err(refusal(401, message));
        }
        if expires > now + LONGEST_JWT {
            return Err(refusal(
                401,
                "'Expiration time' claim ('exp') is too far in the future",
            ));
        }
        if claims["iat"]
            .as_i64()
            .is_none_or(|issued| issued > now + 60)
        {
            let message = "'Issued at' claim ('iat') must be an Integer representing the time \
                           that the assertion was issued";
            return Err(refusal(401, message));
        }
        Ok(Credential {
            login: app.login(),
            grant: Grant::App(id),
            expires: None,
        })
    }
}

fn bad_credentials() -> Answer {
    refusal(401, "Bad credentials")
}

/// The bytes of base64 in its alphabet for addresses, without padding.
fn base64_url(text: &str) -> Option<Vec<u8>> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0u32, 0);
    for letter in text.trim_end_matches('=').bytes() {
        let value = ALPHABET.iter().position(|known| *known == letter)?;
        bits = (bits << 6) | u32::try_from(value).ok()?;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from((bits >> count) & 0xFF).ok()?);
        }
    }
    Some(bytes)
}

impl Grant {
    /// The headers that tell a personal token's scopes.
    pub(crate) fn headers(&self, need: Need) -> Vec<(&'static str, String)> {
        match self {
            Self::Scopes(scopes) => {
                let accepted = if need.permissions.is_empty() {
                    ""
                } else {
                    "repo"
                };
                vec![
                    ("x-oauth-scopes", scopes.join(", ")),
                    ("x-accepted-oauth-scopes", accepted.to_owned()),
                ]
            }
            Self::Permissions(_) | Self::Installation(_) => {
                vec![("x-accepted-github-permissions", need.accepted())]
            }
            Self::App(_) => Vec::new(),
        }
    }

    /// Whether private repositories are there for it at all.
    pub(crate) fn sees_private(&self) -> bool {
        match self {
            Self::Scopes(scopes) => scopes.iter().any(|scope| scope == "repo"),
            Self::Permissions(_) | Self::Installation(_) => true,
            Self::App(_) => false,
        }
    }

    /// Refuses what it does not allow on a repository that it sees.
    pub(crate) fn allows(&self, need: Need) -> Result<(), Answer> {
        let (permissions, whose) = match self {
            Self::Scopes(scopes) => {
                let writes = |scope: &String| scope == "repo" || scope == "public_repo";
                return match need.write && !scopes.iter().any(writes) {
                    true => Err(refusal(
                        403,
                        "Resource not accessible by personal access token",
                    )),
                    false => Ok(()),
                };
            }
            Self::Permissions(permissions) => (permissions, "personal access token"),
            Self::Installation(permissions) => (permissions, "integration"),
            Self::App(_) => return Err(refusal(401, "A JSON web token could not be decoded")),
        };
        let enough = |name: &&str| match permissions.get(*name).map(String::as_str) {
            Some("write" | "admin") => true,
            Some(_) => !need.write,
            // Everybody who sees a repository has its metadata.
            None => *name == "metadata",
        };
        if need.permissions.is_empty() || need.permissions.iter().any(enough) {
            return Ok(());
        }
        Err(refusal(403, &format!("Resource not accessible by {whose}")))
    }
}

impl Need {
    /// E.g. `issues=write; pull_requests=write`.
    fn accepted(self) -> String {
        let level = if self.write { "write" } else { "read" };
        let each = self
            .permissions
            .iter()
            .map(|name| format!("{name}={level}"));
        each.collect::<Vec<_>>().join("; ")
    }
}

/// The same id for the same name.
pub(crate) fn account_id(login: &str) -> u64 {
    digest(login.to_lowercase()) % 100_000_000 + 1
}

/// `simple-user` of the description.
pub(crate) fn user(world: &World, login: &str) -> Value {
    let api = world.api();
    let kind = if login.ends_with("[bot]") {
        "Bot"
    } else {
        "User"
    };
    shape(
        "simple-user",
        json!({
            "login": login,
            "id": account_id(login),
            "node_id": format!("U_{login}"),
            "url": format!("{api}/users/{}", super::uri::encode(login)),
            "html_url": format!("{}/{}", world.origin, super::uri::encode(login)),
            "type": kind,
        }),
    )
}

/// `GET /user`.
pub(crate) fn get_user(call: &mut Call<'_>) -> Reply {
    match &call.viewer.grant {
        Grant::Scopes(_) | Grant::Permissions(_) => {
            let mut members = user(call.world, &call.viewer.login);
            members["user_view_type"] = "private".into();
            ok(shape("private-user", members))
        }
        Grant::Installation(_) => Err(refusal(403, "Resource not accessible by integration")),
        Grant::App(_) => Err(refusal(401, "A JSON web token could not be decoded")),
    }
}

/// `GET /app`.
pub(crate) fn get_app(call: &mut Call<'_>) -> Reply {
    let (id, app) = app(call)?;
    ok(shape(
        "integration",
        json!({
            "id": id,
            "slug": app.slug,
            "name": app.slug,
            "owner": user(call.world, "octo-org"),
            "permissions": app.permissions,
        }),
    ))
}

fn app(call: &Call<'_>) -> Result<(u64, App), Answer> {
    let Grant::App(id) = call.viewer.grant else {
        return Err(refusal(401, "A JSON web token could not be decoded"));
    };
    let app = call.world.apps.get(&id).ok_or_else(not_found)?;
    Ok((id, app.clone()))
}

/// `POST /app/installations/{installation_id}/access_tokens`: good for an hour.
pub(crate) fn create_installation_token(call: &mut Call<'_>) -> Reply {
    let (_, app) = app(call)?;
    if app.installation != call.number("installation_id") {
        return Err(not_found());
    }
    let mut permissions = app.permissions.clone();
    if let Some(asked) = call.body["permissions"].as_object() {
        permissions.retain(|name, _| asked.contains_key(name));
    }
    let token = format!("ghs_{:036}", call.world.next_id());
    let expires = call.world.now() + HOUR;
    let credential = Credential {
        login: app.login(),
        grant: Grant::Installation(permissions.clone()),
        expires: Some(expires),
    };
    call.world.credentials.insert(token.clone(), credential);
    created(shape(
        "installation-token",
        json!({
            "token": token,
            "expires_at": stamp(expires),
            "permissions": permissions,
            "repository_selection": "all",
        }),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_addresses_is_read() {
        assert_eq!(base64_url("eyJhIjoxfQ").unwrap(), b"{\"a\":1}");
        assert_eq!(base64_url("-_8").unwrap(), [0xFB, 0xFF]);
        assert_eq!(base64_url("a b"), None);
    }
}
