//! The model of RFC 6455, section 10.2: whose pages may connect.

use sotong::Origins;

use super::head::{Head, is_host};

/// Who is let in: any, the pages of the host that was asked, or those of a list.
#[derive(Clone, Copy)]
pub enum Policy {
    Any,
    Same,
    List(&'static [&'static str]),
}

/// Those that every request is held against.
pub const POLICIES: [Policy; 3] =
    [Policy::Any, Policy::Same, Policy::List(&["http://example.com", "moz-extension://A:1"])];

impl Policy {
    pub fn origins(self) -> Origins {
        match self {
            Self::Any => Origins::any(),
            Self::Same => Origins::same(),
            Self::List(list) => Origins::list(list.iter().copied()).expect("they are origins"),
        }
    }

    /// Whether a request for `host` with this head is let in.
    pub fn allows(self, head: &Head, host: &str, required: bool) -> bool {
        let fields = head.all("origin");
        match (self, &fields[..]) {
            (_, []) => !required,
            (Self::Any, _) => true,
            (Self::Same, [field]) => {
                let same = |scheme: &str| normal(format!("{scheme}://{host}").as_bytes());
                normal(field)
                    .is_some_and(|own| [same("http"), same("https")].contains(&Some(own.clone())))
            }
            (Self::List(list), [field]) => normal(field).is_some_and(|own| {
                list.iter().any(|listed| normal(listed.as_bytes()) == Some(own.clone()))
            }),
            _ => false,
        }
    }
}

/// An origin in one spelling: in lower case, the port always there (RFC 6454, sections 4 and 6).
fn normal(origin: &[u8]) -> Option<String> {
    let origin = std::str::from_utf8(origin).ok()?.to_ascii_lowercase();
    let (scheme, host) = origin.split_once("://")?;
    let begins = scheme.chars().next()?.is_ascii_alphabetic();
    let goes_on = scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    if !begins || !goes_on || !is_host(host.as_bytes()) {
        return None;
    }
    // Where nothing but digits is behind the last colon that is a port: an address ends with a
    // bracket.
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port),
        _ => (host, ""),
    };
    let port = match (scheme, port) {
        ("http" | "ws", "") => "80",
        ("https" | "wss", "") => "443",
        (_, port) => port,
    };
    let port = port.parse::<u32>().map_or(String::new(), |port| port.to_string());
    Some(format!("{scheme}://{name}:{port}"))
}
