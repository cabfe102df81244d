//! The hosts that commands may reach, as the user names them.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use schemars::JsonSchema;
use serde::Deserialize;

/// The ports that a host is reached at if none is named: those of `https` and `http`.
const USUAL_PORTS: [u16; 2] = [443, 80];

/// A host, or all below a name: `example.com`, `*.example.com`, `localhost:8080`, `10.0.0.7:443`.
///
/// ```
/// use agent_team::sandbox::HostRule;
///
/// let rule: HostRule = "*.example.com".parse()?;
/// assert!(rule.allows("static.example.com", 443) && !rule.allows("example.com.example.org", 443));
/// assert!("https://example.com".parse::<HostRule>().is_err());
/// # Ok::<(), agent_team::sandbox::NoHost>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct HostRule {
    name: String,
    /// Whether all names below it are meant, and not itself.
    is_below: bool,
    port: Option<u16>,
}

/// What is no host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{given}` is no host: name it as `example.com`, `*.example.com` or `localhost:8080`, without a scheme or a path"
)]
pub struct NoHost {
    given: String,
}

impl HostRule {
    /// Whether a host at a port is meant.
    pub fn allows(&self, host: &str, port: u16) -> bool {
        let host = plain(host);
        let is_named = match self.is_below {
            true => host.strip_suffix(&self.name).is_some_and(|head| head.len() > 1 && head.ends_with('.')),
            false => host == self.name,
        };
        is_named && self.port.map_or(USUAL_PORTS.contains(&port), |own| own == port)
    }

    /// Whether it is for this name and no other.
    pub(crate) fn is_for(&self, name: &str) -> bool {
        !self.is_below && self.name == name
    }

    /// Whether an address may be reached that a name stands for. A name that somebody else gives an address is no way
    /// to this machine, nor, if it is not named itself, to others beside it.
    pub fn reaches(&self, address: IpAddr) -> bool {
        let is_named = self.name == "localhost" || self.name.parse() == Ok(address);
        match near(address) {
            Near::Nobody => true,
            Near::Beside => !self.is_below,
            Near::Here => is_named,
        }
    }
}

/// Where an address is.
enum Near {
    /// On this machine, or what answers for the machine that this one runs on.
    Here,
    /// In a network that belongs to somebody.
    Beside,
    /// Anywhere.
    Nobody,
}

fn near(address: IpAddr) -> Near {
    match address {
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(address) => near(address.into()),
            None if address.is_loopback() || address.is_unspecified() || is_link_local(address) => Near::Here,
            None if address.segments()[0] & 0xfe00 == 0xfc00 || address.is_multicast() => Near::Beside,
            None => Near::Nobody,
        },
        IpAddr::V4(address) => {
            let [first, ..] = address.octets();
            if address.is_loopback() || address.is_link_local() || first == 0 {
                Near::Here
            } else if address.is_private() || address.is_multicast() || address.is_broadcast() {
                Near::Beside
            } else {
                Near::Nobody
            }
        }
    }
}

fn is_link_local(address: Ipv6Addr) -> bool {
    address.segments()[0] & 0xffc0 == 0xfe80
}

/// A host's name as it is compared.
fn plain(host: &str) -> String {
    host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase()
}

impl FromStr for HostRule {
    type Err = NoHost;

    fn from_str(text: &str) -> Result<Self, NoHost> {
        let wrong = || NoHost { given: text.to_owned() };
        let (is_below, rest) = match text.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (name, port) = match rest.parse::<SocketAddr>() {
            Ok(address) => (address.ip().to_string(), Some(address.port())),
            Err(_) if rest.parse::<IpAddr>().is_ok() => (rest.to_owned(), None),
            Err(_) => match rest.split_once(':') {
                Some((name, port)) => (name.to_owned(), Some(port.parse().map_err(|_| wrong())?)),
                None => (rest.to_owned(), None),
            },
        };
        let name = plain(&name);
        let is_address = name.parse::<IpAddr>().is_ok();
        let is_name = |name: &str| {
            let labels = name.split('.');
            let mut letters = name.chars();
            labels.clone().all(|label| !label.is_empty())
                && letters.all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_'))
        };
        if (is_address && is_below) || !(is_address || is_name(&name)) {
            return Err(wrong());
        }
        Ok(Self { name, is_below, port })
    }
}

impl TryFrom<String> for HostRule {
    type Error = NoHost;

    fn try_from(text: String) -> Result<Self, NoHost> {
        text.parse()
    }
}

impl fmt::Display for HostRule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let below = if self.is_below { "*." } else { "" };
        match (self.port, self.name.contains(':')) {
            (Some(port), true) => write!(formatter, "{below}[{}]:{port}", self.name),
            (Some(port), false) => write!(formatter, "{below}{}:{port}", self.name),
            (None, _) => write!(formatter, "{below}{}", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> HostRule {
        text.parse().unwrap()
    }

    #[test]
    fn a_host_is_met_by_its_name_and_port_alone() {
        let cases = [
            ("example.com", "example.com", 443, true),
            ("example.com", "EXAMPLE.com.", 443, true),
            ("example.com", "example.com", 80, true),
            ("example.com", "example.com", 22, false),
            ("example.com", "static.example.com", 443, false),
            ("example.com", "evilexample.com", 443, false),
            ("*.example.com", "static.example.com", 443, true),
            ("*.example.com", "a.b.example.com", 443, true),
            ("*.example.com", "example.com", 443, false),
            ("*.example.com", "evilexample.com", 443, false),
            ("*.example.com", ".example.com", 443, false),
            ("localhost:8080", "localhost", 8080, true),
            ("localhost:8080", "localhost", 443, false),
            ("[::1]:8080", "[::1]", 8080, true),
            ("127.0.0.1:8080", "127.0.0.1", 8080, true),
        ];
        for (text, host, port, is_allowed) in cases {
            assert_eq!(rule(text).allows(host, port), is_allowed, "{text} {host}:{port}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused_and_what_is_one_is_written_as_it_was() {
        for text in [
            "",
            "*",
            "*.",
            "https://example.com",
            "example.com/x",
            "a..b",
            "a b",
            "host:port",
            "*.10.0.0.1",
            "host:70000",
        ] {
            assert!(text.parse::<HostRule>().is_err(), "{text}");
        }
        for text in ["example.com", "*.example.com", "localhost:8080", "10.0.0.7", "[::1]:8080", "fe80::1"] {
            assert_eq!(rule(text).to_string(), text);
        }
    }

    #[test]
    fn a_name_is_no_way_to_this_machine_or_to_what_runs_it() {
        let reaches = |text: &str, address: &str| rule(text).reaches(address.parse().unwrap());
        for here in ["127.0.0.1", "169.254.169.254", "0.0.0.0", "::1", "::ffff:127.0.0.1", "fe80::1"] {
            assert!(!reaches("example.com", here) && !reaches("*.example.com", here), "{here}");
        }
        assert!(reaches("localhost:80", "127.0.0.1") && reaches("127.0.0.1:80", "127.0.0.1"));
        assert!(reaches("169.254.169.254", "169.254.169.254"), "who names it means it");
        for beside in ["10.1.2.3", "192.168.0.1", "fd00::1"] {
            assert!(
                reaches("registry.corp.example", beside) && !reaches("*.corp.example", beside),
                "{beside}"
            );
        }
        assert!(reaches("*.example.com", "1.1.1.1") && reaches("example.com", "2606:4700::1"));
    }
}
