//! Whose pages may open a connection (RFC 6455, section 10.2; RFC 6454).
//!
//! A browser says in Origin which site's page asks, and sends the user's cookies whichever site
//! that is. Origins are compared part by part, as RFC 6454 (section 5) has it, and never by how
//! they begin or end: `https://chat.example.evil.example` begins like a friend.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::extension::AsciiSet;

/// Whose pages may open a connection to a server: those of the [`same`](Self::same) site, by
/// default, those of a [`list`](Self::list), or [`any`](Self::any).
///
/// What is not allowed is answered with 403. There must be one Origin, which is one scheme, host
/// and port: `null`, which sandboxed pages and local files say, several and malformed ones are
/// allowed by [`any`](Self::any) alone.
///
/// A request without Origin comes from a program that is no browser. Such a program may say what it
/// likes and has no user's cookies but those it was given, so an Origin would prove nothing, and it
/// is let in: see [`required`](Self::required). Nor does the Origin tell who the user is: a program
/// that is no browser can say any.
///
/// ```
/// use sotong::{Config, Origins};
///
/// let mut config = Config::default();
/// assert_eq!(config.origins, Origins::same());
/// config.origins = Origins::list(["https://chat.example", "https://admin.chat.example:8443"])?;
/// # Ok::<(), sotong::InvalidOrigin>(())
/// ```
///
/// Of requests for the host `chat.example`:
///
/// ```
/// # use sotong::{Config, Origins, ReceiveBuffer};
/// # use sotong::handshake::server::{Handshake, Request};
/// # fn request(origin: &str) -> Request {
/// #     let head = format!("GET / HTTP/1.1\r\nHost: chat.example\r\n{origin}\r\n");
/// #     let mut rx = ReceiveBuffer::with_capacity(512);
/// #     assert_eq!(rx.extend(head.as_bytes()), head.len());
/// #     Handshake::new(&Config::default()).receive(&mut rx).unwrap().unwrap()
/// # }
/// let own_page = request("Origin: https://chat.example\r\n");
/// let other_page = request("Origin: https://evil.example\r\n");
/// let no_browser = request("");
///
/// assert!(own_page.check_origin(&Origins::same()).is_ok());
/// assert!(other_page.check_origin(&Origins::same()).is_err());
/// assert!(other_page.check_origin(&Origins::any()).is_ok());
/// assert!(no_browser.check_origin(&Origins::same()).is_ok());
/// assert!(no_browser.check_origin(&Origins::same().required()).is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origins {
    allowed: Allowed,
    required: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Allowed {
    Any,
    Same,
    List(Vec<Origin<String>>),
}

impl Origins {
    /// Pages of every site may connect, and `null`: for servers that know nobody by cookies,
    /// address or network.
    ///
    /// For an example see [`Origins`](Self).
    pub const fn any() -> Self {
        Self { allowed: Allowed::Any, required: false }
    }

    /// Pages of the host and port that the request is for may connect. The default.
    ///
    /// Whether a server behind a TLS proxy was asked by `ws://` or `wss://` it cannot know, so
    /// `http` and `https` are alike here, each with its default port: `Host: chat.example` is the
    /// same as `https://chat.example`, `https://chat.example:443` and `http://chat.example`, but
    /// not as `https://chat.example:80`. Who can change what comes from `http://chat.example` on
    /// its way may connect then, and so may any page whose name is made to lead here, if the server
    /// answers to any Host: a [`list`](Self::list) names scheme and host.
    ///
    /// A proxy must hand the Host on as it came. Where it does not, a [`list`](Self::list) is
    /// needed.
    ///
    /// For an example see [`Origins`](Self).
    pub const fn same() -> Self {
        Self { allowed: Allowed::Same, required: false }
    }

    /// Pages of these origins may connect, and no others: not those of the server's own host unless
    /// it is named.
    ///
    /// Each is a scheme, a host and a port if it is not the default one of the scheme, and nothing
    /// behind that: `https://chat.example`. Names that are not ASCII are to be written as browsers
    /// send them: `https://xn--9d0b.example`. There are no patterns.
    ///
    /// For an example see [`Origins`](Self).
    ///
    /// # Errors
    ///
    /// One of them is no such origin, `null` among them: every page can make itself `null`.
    pub fn list<'o>(origins: impl IntoIterator<Item = &'o str>) -> Result<Self, InvalidOrigin> {
        let kept = |origin: &'o str| Origin::parse(origin).map(|origin| origin.to_lower_case());
        let list: Option<_> = origins.into_iter().map(kept).collect();
        list.map(|list| Self { allowed: Allowed::List(list), required: false }).ok_or(InvalidOrigin)
    }

    /// The same, but a request without Origin is not allowed either: for servers that are for pages
    /// alone.
    ///
    /// For an example see [`Origins`](Self).
    #[must_use]
    pub fn required(self) -> Self {
        Self { required: true, ..self }
    }

    /// Whether a request with these Origin fields, for that host, is allowed. The host is valid, or
    /// empty.
    pub(crate) fn allow<'r>(
        &self,
        mut fields: impl Iterator<Item = &'r [u8]>,
        host: &[u8],
    ) -> bool {
        let single = match (fields.next(), fields.next()) {
            (None, _) => return !self.required,
            (Some(origin), None) => Some(origin),
            _ => None,
        };
        let parsed = || core::str::from_utf8(single?).ok().and_then(Origin::parse);
        match &self.allowed {
            Allowed::Any => true,
            Allowed::Same => {
                let host_text = || core::str::from_utf8(host).unwrap_or_default();
                single.is_some_and(|origin| is_plainly_of_host(origin, host))
                    || parsed().is_some_and(|origin| origin.is_of_host(host_text()))
            }
            Allowed::List(list) => {
                parsed().is_some_and(|origin| list.iter().any(|allowed| allowed.is(&origin)))
            }
        }
    }
}

/// The same origin.
impl Default for Origins {
    fn default() -> Self {
        Self::same()
    }
}

/// What was to be an origin is none: a scheme, a host, and a port if it is not the default one.
///
/// ```
/// use sotong::{InvalidOrigin, Origins};
///
/// assert_eq!(Origins::list(["https://chat.example/"]), Err(InvalidOrigin)); // a path
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InvalidOrigin;

impl fmt::Display for InvalidOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an origin is like https://chat.example:8443, without a path (RFC 6454)")
    }
}

impl core::error::Error for InvalidOrigin {}

/// "The triple (scheme, host, port)" (RFC 6454, section 4).
#[derive(Clone, Debug, PartialEq, Eq)]
struct Origin<T> {
    scheme: T,
    host: T,
    /// That of the scheme if none was named; nothing for a scheme that has none.
    port: Option<u16>,
}

impl<'o> Origin<&'o str> {
    /// `scheme "://" host [ ":" port ]`, one and no more (RFC 6454, section 7).
    fn parse(text: &'o str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|b| SCHEME.contains(b));
        let (host, port) = split_host(authority).filter(|_| is_scheme)?;
        Some(Self { scheme, host, port: port.or(default_port(scheme)) })
    }

    fn to_lower_case(&self) -> Origin<String> {
        let (scheme, host) = (self.scheme.to_ascii_lowercase(), self.host.to_ascii_lowercase());
        Origin { scheme, host, port: self.port }
    }

    /// Whether pages of this origin are those of a host with this Host field, which names no
    /// scheme.
    fn is_of_host(&self, host: &str) -> bool {
        let is_web = ["http", "https"].iter().any(|web| self.scheme.eq_ignore_ascii_case(web));
        is_web
            && split_host(host).is_some_and(|(name, port)| {
                let port = port.or(default_port(self.scheme));
                name.eq_ignore_ascii_case(self.host) && port == self.port
            })
    }
}

impl Origin<String> {
    fn is(&self, other: &Origin<&str>) -> bool {
        self.scheme.eq_ignore_ascii_case(other.scheme)
            && self.host.eq_ignore_ascii_case(other.host)
            && self.port == other.port
    }
}

/// Whether the Origin is the host behind a scheme, letter by letter, as browsers send both.
fn is_plainly_of_host(origin: &[u8], host: &[u8]) -> bool {
    let rest = origin.strip_prefix(b"https://").or_else(|| origin.strip_prefix(b"http://"));
    rest == Some(host) && !host.is_empty()
}

fn default_port(scheme: &str) -> Option<u16> {
    let ports = [("https", 443), ("http", 80), ("wss", 443), ("ws", 80)];
    let found = ports.iter().find(|(name, _)| scheme.eq_ignore_ascii_case(name));
    found.map(|(_, port)| *port)
}

/// Host and port of `uri-host [ ":" port ]` (RFC 3986, section 3.2); the host is not empty.
pub(crate) fn split_host(host: &str) -> Option<(&str, Option<u16>)> {
    let end = match host.strip_prefix('[') {
        Some(literal) => {
            let address = literal.split_once(']')?.0;
            let valid = address.bytes().all(|b| b.is_ascii_hexdigit() || b":.".contains(&b));
            (valid && address.contains(':')).then_some(address.len() + 2)?
        }
        None => host.bytes().position(|b| !NAME.contains(b)).unwrap_or(host.len()),
    };
    let (name, rest) = host.split_at(end);
    let port = match rest.strip_prefix(':') {
        None if !rest.is_empty() => return None,
        None | Some("") => None,
        Some(digits) => Some(port(digits)?),
    };
    (!name.is_empty()).then_some((name, port))
}

/// Whether a host is a name or an IPv4 address without a port, as most are.
pub(crate) fn is_name(host: &[u8]) -> bool {
    !host.is_empty() && host.iter().all(|b| NAME.contains(*b))
}

fn port(digits: &str) -> Option<u16> {
    let is_number = digits.bytes().all(|b| b.is_ascii_digit()); // without a sign
    digits.parse().ok().filter(|_| is_number)
}

/// What may stand in a name or an IPv4 address.
static NAME: AsciiSet = AsciiSet::alphanumeric_and(b"-._~%!$&'()*+,;=");

/// What may stand in a scheme (RFC 3986, section 3.1).
static SCHEME: AsciiSet = AsciiSet::alphanumeric_and(b"+-.");
