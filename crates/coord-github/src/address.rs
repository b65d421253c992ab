//! The address of the API, and what belongs to it.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use http::Uri;

use crate::error::GithubError;

/// The address of the API: scheme, authority, and the path that all its routes start with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiUrl {
    tls: bool,
    /// In lower case; brackets around IPv6.
    host: String,
    port: u16,
    /// Empty, or `/api/v3`: without a slash at the end.
    prefix: String,
}

impl ApiUrl {
    pub(crate) fn parse(text: &str) -> Result<Self, GithubError> {
        let text = text.trim();
        let wrong = |reason: &str| GithubError::Address {
            url: without_password(text),
            reason: reason.to_owned(),
        };
        let uri: Uri = text.parse().map_err(|_| wrong("it is no URL"))?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong("it does not begin with https://")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("it holds a user or password"));
        }
        if uri.query().is_some() || text.contains('#') {
            return Err(wrong("it has a query or fragment"));
        }
        let host = authority.host().to_ascii_lowercase();
        if matches!(host.as_str(), "github.com" | "www.github.com") {
            return Err(wrong("the API of github.com is https://api.github.com"));
        }
        if !tls && !is_loopback(&host) {
            return Err(GithubError::InClear { host });
        }
        Ok(Self {
            tls,
            host,
            port: authority.port_u16().unwrap_or(default_port(tls)),
            prefix: uri.path().trim_end_matches('/').to_owned(),
        })
    }

    pub(crate) const fn tls(&self) -> bool {
        self.tls
    }

    /// For messages.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// The host that people see and that `gh` knows: `github.com` for `api.github.com`.
    pub(crate) fn web_host(&self) -> &str {
        let of_a_tenant = self.host.ends_with(".ghe.com") || self.host == "api.github.com";
        match self.host.strip_prefix("api.") {
            Some(host) if of_a_tenant => host,
            _ => &self.host,
        }
    }

    /// The whole address of a route, which begins with a slash.
    pub(crate) fn join(&self, route: &str) -> String {
        format!("{self}{route}")
    }

    /// The route that an address of this API stands for; `None` when it is another server's.
    pub(crate) fn route_of(&self, link: &str) -> Option<String> {
        let uri: Uri = link.trim().parse().ok()?;
        if let Some(authority) = uri.authority() {
            let tls = uri.scheme_str()? == "https";
            let port = authority.port_u16().unwrap_or(default_port(tls));
            let same = tls == self.tls
                && port == self.port
                && authority.host().eq_ignore_ascii_case(&self.host)
                && !authority.as_str().contains('@');
            if !same {
                return None;
            }
        }
        let route = uri.path_and_query()?.as_str().strip_prefix(&self.prefix)?;
        route
            .starts_with('/')
            .then(|| route.trim_end_matches('?').to_owned())
    }
}

impl std::fmt::Display for ApiUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.host)?;
        if self.port != default_port(self.tls) {
            write!(f, ":{}", self.port)?;
        }
        f.write_str(&self.prefix)
    }
}

const fn default_port(tls: bool) -> u16 {
    if tls { 443 } else { 80 }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
        || host
            .trim_matches(['[', ']'])
            .parse::<Ipv6Addr>()
            .is_ok_and(|ip| ip.is_loopback())
}

/// `url` for a message: whatever stands between `//` and `@` may be a password.
fn without_password(url: &str) -> String {
    match (url.find("//"), url.rfind('@')) {
        (Some(start), Some(end)) if start < end => {
            format!("{}***{}", &url[..start + 2], &url[end..])
        }
        _ => url.to_owned(),
    }
}

/// `route` with `query` behind it, each part encoded; without a query there is no `?`.
pub(crate) fn with_query(route: &str, query: &[(&str, &str)]) -> String {
    let mut text = route.to_owned();
    for (index, (name, value)) in query.iter().enumerate() {
        text.push(if index == 0 { '?' } else { '&' });
        let _ = write!(text, "{}={}", escape_segment(name), escape_segment(value));
    }
    text
}

/// The name of a branch or ref in a path: its slashes stay.
pub(crate) fn escape(name: &str) -> String {
    let segments: Vec<String> = name.split('/').map(escape_segment).collect();
    segments.join("/")
}

/// One segment of a path, or a part of a query: everything is encoded but letters, digits and
/// `-._~`. Segments of dots alone are encoded too, so that nobody takes them for a way up.
pub(crate) fn escape_segment(segment: &str) -> String {
    let only_dots = segment.bytes().all(|byte| byte == b'.');
    encode(segment, |byte| match byte {
        b'.' => !only_dots,
        b'-' | b'_' | b'~' => true,
        _ => byte.is_ascii_alphanumeric(),
    })
}

fn encode(text: &str, plain: impl Fn(u8) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if plain(byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(text: &str) -> ApiUrl {
        ApiUrl::parse(text).unwrap()
    }

    #[test]
    fn addresses_lose_what_says_nothing() {
        for (text, shown) in [
            ("https://api.github.com/", "https://api.github.com"),
            ("https://API.github.com:443", "https://api.github.com"),
            (
                "https://ghe.example.com/api/v3/",
                "https://ghe.example.com/api/v3",
            ),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://[::1]:8080/api/v3", "http://[::1]:8080/api/v3"),
            ("http://localhost", "http://localhost"),
        ] {
            assert_eq!(api(text).to_string(), shown);
        }
    }

    #[test]
    fn tokens_do_not_travel_in_clear() {
        for text in [
            "http://ghe.example.com/api/v3",
            "http://127.0.0.1.example.com",
            "http://localhost.example.com",
            "http://128.0.0.1",
        ] {
            let error = ApiUrl::parse(text).unwrap_err();
            assert!(matches!(error, GithubError::InClear { .. }), "{text}");
        }
    }

    #[test]
    fn what_is_no_api_is_refused_without_its_password() {
        for text in [
            "",
            "api.github.com",
            "ftp://api.github.com",
            "https://",
            "https://anna:hunter2@ghe.example.com/",
            "https://ghe.example.com/api/v3?token=x",
            "https://github.com",
        ] {
            let error = ApiUrl::parse(text).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn links_of_the_api_become_routes() {
        let api = api("https://ghe.example.com/api/v3");
        for (link, route) in [
            (
                "https://ghe.example.com/api/v3/repos/o/r?page=2",
                Some("/repos/o/r?page=2"),
            ),
            ("https://GHE.example.com:443/api/v3/user", Some("/user")),
            ("/api/v3/user?", Some("/user")),
            ("https://ghe.example.com/api/v33/user", None),
            ("https://ghe.example.com/user", None),
            ("https://evil.example.com/api/v3/user", None),
            ("https://x@ghe.example.com/api/v3/user", None),
            ("http://ghe.example.com/api/v3/user", None),
            ("https://ghe.example.com:8443/api/v3/user", None),
            ("//evil.example.com/api/v3/user", None),
            ("", None),
        ] {
            assert_eq!(api.route_of(link).as_deref(), route, "{link}");
        }
    }

    #[test]
    fn gh_knows_the_host_of_people() {
        assert_eq!(api("https://api.github.com").web_host(), "github.com");
        assert_eq!(api("https://api.octo.ghe.com").web_host(), "octo.ghe.com");
        assert_eq!(api("https://api.example.com").web_host(), "api.example.com");
    }

    #[test]
    fn names_are_encoded() {
        assert_eq!(escape_segment("a b/ü%?#"), "a%20b%2F%C3%BC%25%3F%23");
        assert_eq!(escape("issue-1-a/b c"), "issue-1-a/b%20c");
        assert_eq!(
            (escape_segment(".."), escape_segment("v1.0")),
            ("%2E%2E".to_owned(), "v1.0".to_owned())
        );
        assert_eq!(with_query("/a", &[]), "/a");
        assert_eq!(
            with_query("/a", &[("q", "x&y"), ("n", "1")]),
            "/a?q=x%26y&n=1"
        );
    }
}
