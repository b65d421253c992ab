//! Who may call: the token, and that no web page calls on somebody's behalf.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, HOST, HeaderMap, ORIGIN};
use http::{StatusCode, Uri};
use subtle::ConstantTimeEq as _;

use super::Ctx;
use super::leases::HOOK;
use super::reject::Rejection;

/// What callers have to present and which names the machine goes by.
#[derive(Debug)]
pub(crate) struct Guard {
    token: Option<String>,
    bind: IpAddr,
    names: Vec<String>,
}

impl Guard {
    /// `names` are those under which callers reach the machine, besides its addresses.
    pub(crate) fn new(token: Option<String>, bind: SocketAddr, names: Vec<String>) -> Self {
        Self {
            token,
            bind: bind.ip(),
            names,
        }
    }

    fn check(&self, headers: &HeaderMap) -> Result<(), Rejection> {
        self.check_origins(headers)?;
        self.check_token(headers)
    }

    /// For callers with a token of their own.
    fn check_origins(&self, headers: &HeaderMap) -> Result<(), Rejection> {
        self.check_host(headers)?;
        check_origin(headers)
    }

    /// A page that has its own name point to this machine comes with that name as `Host`.
    fn check_host(&self, headers: &HeaderMap) -> Result<(), Rejection> {
        let Some(host) = text(headers, &HOST) else {
            return Err(Rejection::bad("the header Host is missing"));
        };
        if self.is_ours(host_name(host)) {
            return Ok(());
        }
        let error = format!("this agent does not answer for the host `{host}`");
        Err(Rejection::new(StatusCode::FORBIDDEN, error)
            .hint("use its address, or the `host` of the machine in coordinator.yml"))
    }

    fn is_ours(&self, name: &str) -> bool {
        match name.parse::<IpAddr>() {
            Ok(address) => {
                !self.bind.is_loopback() || address.is_loopback() || address == self.bind
            }
            Err(_) => {
                let same = |ours: &String| ours.eq_ignore_ascii_case(name);
                name.eq_ignore_ascii_case("localhost") || self.names.iter().any(same)
            }
        }
    }

    fn check_token(&self, headers: &HeaderMap) -> Result<(), Rejection> {
        let Some(token) = &self.token else {
            return Ok(());
        };
        let given = self::token(headers).unwrap_or_default().as_bytes();
        match bool::from(given.ct_eq(token.as_bytes())) {
            true => Ok(()),
            false => Err(Rejection::unauthorized()),
        }
    }
}

/// Runs before every handler.
pub(crate) async fn guard(State(ctx): State<Ctx>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let path = request.uri().path();
    let hook = path.strip_prefix(HOOK).is_some_and(|id| !id.contains('/'));
    let checked = match hook {
        true => ctx.guard.check_origins(headers),
        false => ctx.guard.check(headers),
    };
    match checked {
        Ok(()) => next.run(request).await,
        Err(rejection) => rejection.into_response(),
    }
}

/// Programs send no `Origin`; a browser's must be this server itself.
fn check_origin(headers: &HeaderMap) -> Result<(), Rejection> {
    let Some(origin) = headers.get(ORIGIN) else {
        return Ok(());
    };
    let origin = origin.to_str().unwrap_or_default();
    let authority = origin.parse::<Uri>().ok().and_then(|uri| {
        let authority = uri.authority()?.as_str().to_owned();
        (uri.scheme_str() == Some("http")).then_some(authority)
    });
    if authority.is_some() && authority.as_deref() == text(headers, &HOST) {
        return Ok(());
    }
    let error = format!("requests from web pages are refused (origin `{origin}`)");
    Err(Rejection::new(StatusCode::FORBIDDEN, error))
}

fn text<'a>(headers: &'a HeaderMap, name: &http::HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// What the caller presents.
pub(super) fn token(headers: &HeaderMap) -> Option<&str> {
    text(headers, &AUTHORIZATION).and_then(bearer)
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// `HOST[:PORT]` without the port and without the brackets of an IPv6 address.
fn host_name(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().unwrap_or_default();
    }
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        Some(_) | None => host,
    }
}

#[cfg(test)]
mod tests {
    use http::header::HeaderValue;

    use super::*;

    fn guard(bind: &str, token: Option<&str>) -> Guard {
        let names = vec!["box.example".to_owned()];
        Guard::new(token.map(str::to_owned), bind.parse().unwrap(), names)
    }

    fn status(guard: &Guard, headers: &[(http::HeaderName, &str)]) -> Option<u16> {
        let map: HeaderMap = headers
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()))
            .collect();
        let rejection = guard.check(&map).err()?;
        Some(rejection.into_response().status().as_u16())
    }

    #[test]
    fn on_loopback_only_loopback_names_are_ours() {
        let guard = guard("127.0.0.1:7433", None);
        for ours in [
            "127.0.0.1:7433",
            "localhost",
            "[::1]:7433",
            "LOCALHOST:1",
            "box.example:1",
        ] {
            assert_eq!(status(&guard, &[(HOST, ours)]), None, "{ours}");
        }
        for foreign in [
            "evil.example",
            "10.0.0.1:7433",
            "localhost.evil.example",
            "",
        ] {
            assert_eq!(status(&guard, &[(HOST, foreign)]), Some(403), "{foreign}");
        }
        assert_eq!(status(&guard, &[]), Some(400));
    }

    #[test]
    fn elsewhere_every_address_is_ours_and_only_known_names() {
        let guard = guard("0.0.0.0:7433", None);
        assert_eq!(status(&guard, &[(HOST, "10.0.0.1:7433")]), None);
        assert_eq!(status(&guard, &[(HOST, "evil.example:7433")]), Some(403));
    }

    #[test]
    fn a_web_page_is_refused_wherever_it_comes_from() {
        let guard = guard("127.0.0.1:7433", None);
        let from = |origin| status(&guard, &[(HOST, "127.0.0.1:7433"), (ORIGIN, origin)]);
        assert_eq!(from("http://127.0.0.1:7433"), None);
        for origin in [
            "http://127.0.0.1:3000",
            "https://127.0.0.1:7433",
            "null",
            "http://evil.example",
        ] {
            assert_eq!(from(origin), Some(403), "{origin}");
        }
    }

    #[test]
    fn only_the_token_opens() {
        let guard = guard("127.0.0.1:7433", Some("s3cret"));
        let with = |value| status(&guard, &[(HOST, "localhost"), (AUTHORIZATION, value)]);
        assert_eq!(with("Bearer s3cret"), None);
        assert_eq!(with("bearer  s3cret"), None);
        for wrong in [
            "Bearer s3cre",
            "Bearer s3cretx",
            "Basic s3cret",
            "s3cret",
            "Bearer ",
        ] {
            assert_eq!(with(wrong), Some(401), "{wrong}");
        }
        assert_eq!(status(&guard, &[(HOST, "localhost")]), Some(401));
    }
}
