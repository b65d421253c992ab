//! The way from a hook to this agent: a file in the assignment's folder, and a token that opens it.

use std::fs;
use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt as _;

use coord_supervisor::Door;
use coord_supervisor::files::HOOK;
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use crate::active::Active;

/// What the hooks of one assignment present. Another one in each run of the agent; good for nothing else.
pub(crate) struct Token(String);

impl Token {
    /// 244 random bits.
    pub(crate) fn random() -> Self {
        let random = || Uuid::new_v4().simple().to_string();
        Self(random() + &random())
    }

    /// Compares in constant time.
    pub(crate) fn is(&self, given: &str) -> bool {
        bool::from(given.as_bytes().ct_eq(self.0.as_bytes()))
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Tells the hooks of `active` where the agent is that listens at `addr`: whole or not at all, for its owner alone.
///
/// # Errors
/// What the system said.
pub(crate) fn open_door(active: &Active, addr: SocketAddr) -> io::Result<()> {
    let door = Door {
        address: reachable(addr),
        path: format!("/hook/{}", active.id),
        token: active.token.0.clone(),
    };
    let path = active.folder.path().join(HOOK);
    let beside = active.folder.path().join(format!("{HOOK}.new"));
    let _ = fs::remove_file(&beside);
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(door.encode().as_bytes())?;
    fs::rename(beside, path)
}

/// Where a process of this machine reaches what listens at `addr`.
fn reachable(addr: SocketAddr) -> SocketAddr {
    let ip = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, addr.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_come_from_this_machine() {
        for (listens, reached) in [
            ("0.0.0.0:7", "127.0.0.1:7"),
            ("[::]:7", "[::1]:7"),
            ("10.1.2.3:7", "10.1.2.3:7"),
            ("127.0.0.1:7", "127.0.0.1:7"),
        ] {
            assert_eq!(reachable(listens.parse().unwrap()).to_string(), reached);
        }
    }

    #[test]
    fn no_two_tokens_are_alike_and_none_is_shown() {
        let (one, other) = (Token::random(), Token::random());
        assert!(one.is(&one.0) && !one.is(&other.0) && !one.is(""));
        assert_eq!(format!("{one:?}"), "Token(…)");
    }
}
