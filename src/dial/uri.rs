//! WebSocket URIs (RFC 6455, section 3), and what leads from one to another.

use std::string::{String, ToString};
use std::{fmt, format};

use base64::Engine;
use iri_string::format::ToDedicatedString;
use iri_string::types::{IriReferenceString, IriString, UriAbsoluteString, UriStr, UriString};
use percent_encoding::percent_decode_str;

use crate::handshake::{BASE64, is_host, is_origin_form};

/// Why a text is no WebSocket URI.
///
/// ```
/// use sotong::dial::{Dialer, InvalidUri};
///
/// let error = Dialer::new("ws://example.com/#top").unwrap_err();
/// assert_eq!(error, InvalidUri::Fragment);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InvalidUri {
    /// It does not follow the grammar. RFC 3986, section 3; RFC 3987, section 2.2.
    Malformed,
    /// The scheme is neither `ws` nor `wss`, or is left out. RFC 6455, section 3.
    Scheme,
    /// The scheme of a [`Proxy`](super::Proxy) is none of `http`, `socks5` and `socks5h`, or is left out.
    ProxyScheme,
    /// `wss` takes the feature `rustls`, which is off.
    NeedsRustls,
    /// `socks5` takes the feature `socks`, which is off.
    NeedsSocks,
    /// It has a fragment. RFC 6455, section 3.
    Fragment,
    /// It names no host.
    Host,
    /// The host is not in ASCII, or is percent-encoded; write internationalized names in their ASCII
    /// form (`xn--`). RFC 5890, section 2.3.2.1.
    HostNotAscii,
    /// The port is not a number from 1 to 65,535.
    Port,
}

impl fmt::Display for InvalidUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the URI is malformed (RFC 3986)",
            Self::Scheme => "a WebSocket URI begins with ws:// or wss:// (RFC 6455, section 3)",
            Self::ProxyScheme => "the URI of a proxy begins with http://, socks5:// or socks5h://",
            Self::NeedsRustls => "wss:// needs the feature `rustls` of this crate",
            Self::NeedsSocks => "socks5:// needs the feature `socks` of this crate",
            Self::Fragment => "a WebSocket URI has no fragment (RFC 6455, section 3)",
            Self::Host => "the URI names no host",
            Self::HostNotAscii => "the host of the URI is to be written in ASCII, as xn--...",
            Self::Port => "the port of the URI is not from 1 to 65535",
        })
    }
}

impl std::error::Error for InvalidUri {}

/// Where a URI leads to.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Uri {
    text: UriAbsoluteString,
    pub(crate) is_secure: bool,
    pub(crate) authority: Authority,
    /// Path and query.
    pub(crate) target: String,
}

impl Uri {
    /// Reads `ws:` and `wss:`. What is not ASCII in path and query is sent as UTF-8 in hexadecimal.
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidUri> {
        let text = IriString::try_from(text).map_err(|_| no_uri(text, InvalidUri::Scheme))?;
        if text.fragment().is_some() {
            return Err(InvalidUri::Fragment);
        }
        Self::new(text.encode_into_uri(), &["ws", "wss"])
    }

    /// Where a Location leads from here (RFC 9110, section 10.2.2). Its scheme may be the one that
    /// HTTP has for the same, and its fragment means nothing here.
    pub(crate) fn join(&self, location: &str) -> Result<Self, InvalidUri> {
        let mut location =
            IriReferenceString::try_from(location).map_err(|_| InvalidUri::Malformed)?;
        location.set_fragment(None);
        let location = location.encode_into_uri();
        let text = location.resolve_against(&self.text).to_dedicated_string();
        Self::new(text, &["ws", "wss", "http", "https"])
    }

    fn new(text: UriString, schemes: &[&str]) -> Result<Self, InvalidUri> {
        let scheme = text.scheme_str().to_ascii_lowercase();
        if !schemes.contains(&&*scheme) {
            return Err(InvalidUri::Scheme);
        }
        let is_secure = scheme.ends_with('s') && scheme != "ws";
        if is_secure && cfg!(not(feature = "rustls")) {
            return Err(InvalidUri::NeedsRustls);
        }
        let authority = Authority::of(&text, if is_secure { 443 } else { 80 })?;
        let path = match text.path_str() {
            "" => "/",
            path => path,
        };
        let target = match text.query_str() {
            None => path.to_string(),
            Some(query) => format!("{path}?{query}"),
        };
        if !is_origin_form(&target) {
            return Err(InvalidUri::Malformed);
        }
        let text = text.try_into().map_err(|_| InvalidUri::Fragment)?;
        Ok(Self { text, is_secure, authority, target })
    }

    /// Whether credentials for the one may be told to the other: scheme, host and port are the same
    /// (RFC 6454, section 5).
    pub(crate) fn is_same_origin(&self, other: &Self) -> bool {
        let [ours, theirs] =
            [self, other].map(|uri| (uri.is_secure, &uri.authority.host, uri.authority.port));
        ours == theirs
    }
}

/// Passwords stay out of logs.
impl fmt::Debug for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uri({})", self.text.mask_password())
    }
}

/// A server, and perhaps who we are to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Authority {
    /// In lower case; an address of IPv6 without its brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// As in the header field Host: with the port, "when not using the default port" (RFC 6455,
    /// section 4.1).
    pub(crate) field: String,
    pub(crate) user: Option<User>,
}

impl Authority {
    pub(crate) fn of(uri: &UriStr, default_port: u16) -> Result<Self, InvalidUri> {
        let parts = uri.authority_components().ok_or(InvalidUri::Host)?;
        let mut field = parts.host().to_ascii_lowercase();
        if !is_host(&field) {
            return Err(InvalidUri::Host);
        }
        // What is not ASCII has come here in percent-encoding, which names are not looked up in.
        if field.contains('%') {
            return Err(InvalidUri::HostNotAscii);
        }
        let literal = field.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = literal.unwrap_or(&field).to_string();
        let port = match parts.port() {
            None | Some("") => default_port,
            Some(digits) => digits.parse().ok().filter(|&port| port > 0).ok_or(InvalidUri::Port)?,
        };
        if port != default_port {
            field = format!("{field}:{port}");
        }
        Ok(Self { host, port, field, user: parts.userinfo().map(User::parse) })
    }

    /// Host and port, whichever it is.
    pub(crate) fn with_port(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

/// Who somebody is to a server, as the userinfo of a URI tells.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) password: String,
}

impl User {
    fn parse(userinfo: &str) -> Self {
        let (name, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
        let [name, password] =
            [name, password].map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned());
        Self { name, password }
    }

    /// As a value of Authorization or Proxy-Authorization (RFC 7617, section 2).
    pub(crate) fn basic(&self) -> String {
        format!("Basic {}", BASE64.encode(format!("{}:{}", self.name, self.password)))
    }
}

/// Passwords stay out of logs.
impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What is wrong with a text that is no URI: as a rule its scheme was left out.
pub(crate) fn no_uri(text: &str, other_scheme: InvalidUri) -> InvalidUri {
    if text.contains("://") { InvalidUri::Malformed } else { other_scheme }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn a_uri_says_whom_to_ask_for_what() {
        let cases = [
            ("ws://example.com", false, "example.com", 80, "example.com", "/"),
            ("wss://example.com/", true, "example.com", 443, "example.com", "/"),
            ("ws://Example.COM:80/a?b=c", false, "example.com", 80, "example.com", "/a?b=c"),
            ("WSS://a:80", true, "a", 80, "a:80", "/"),
            ("ws://a?b", false, "a", 80, "a", "/?b"),
            ("ws://a:?", false, "a", 80, "a", "/?"),
            ("ws://127.0.0.1:9001/x", false, "127.0.0.1", 9001, "127.0.0.1:9001", "/x"),
            ("wss://[2001:DB8::1]:444/", true, "2001:db8::1", 444, "[2001:db8::1]:444", "/"),
            ("ws://u:p@a/", false, "a", 80, "a", "/"),
            ("ws://a/채팅?방=1", false, "a", 80, "a", "/%EC%B1%84%ED%8C%85?%EB%B0%A9=1"),
        ];
        for (text, is_secure, host, port, field, target) in cases {
            if is_secure && cfg!(not(feature = "rustls")) {
                assert_eq!(Uri::parse(text), Err(InvalidUri::NeedsRustls), "{text}");
                continue;
            }
            let uri = Uri::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            let Authority { host: h, port: p, field: f, .. } = &uri.authority;
            let read = (uri.is_secure, &**h, *p, &**f, &*uri.target);
            assert_eq!(read, (is_secure, host, port, field, target), "{text}");
        }
    }

    #[test]
    fn what_is_no_websocket_uri_is_told_precisely() {
        let cases = [
            ("", InvalidUri::Scheme),
            ("example.com", InvalidUri::Scheme),
            ("localhost:9001", InvalidUri::Scheme),
            ("127.0.0.1:9001", InvalidUri::Scheme),
            ("/chat", InvalidUri::Scheme),
            ("ws://a b/", InvalidUri::Malformed),
            ("ws://a//b", InvalidUri::Malformed),
            ("http://a/", InvalidUri::Scheme),
            ("https://a/", InvalidUri::Scheme),
            ("ftp://a/", InvalidUri::Scheme),
            ("ws://a/#top", InvalidUri::Fragment),
            ("ws://a/#", InvalidUri::Fragment),
            ("ws:a", InvalidUri::Host),
            ("ws:///a", InvalidUri::Host),
            ("ws://:80/", InvalidUri::Host),
            ("ws://a:0/", InvalidUri::Port),
            ("ws://a:65536/", InvalidUri::Port),
            ("ws://a:b/", InvalidUri::Malformed),
            ("ws://[::1/", InvalidUri::Malformed),
            ("ws://채팅.kr/", InvalidUri::HostNotAscii),
            ("ws://%41/", InvalidUri::HostNotAscii),
        ];
        for (text, error) in cases {
            assert_eq!(Uri::parse(text).map(|_| ()), Err(error), "{text}");
        }
    }

    #[cfg(feature = "rustls")]
    #[test]
    fn a_location_leads_on_from_where_we_are() {
        let here = Uri::parse("wss://a.test:8443/one/two?three").unwrap();
        let cases = [
            ("/chat", "wss://a.test:8443/chat", true),
            ("four?five", "wss://a.test:8443/one/four?five", true),
            ("../up#fragment", "wss://a.test:8443/up", true),
            ("?q", "wss://a.test:8443/one/two?q", true),
            ("https://a.test:8443/x", "https://a.test:8443/x", true),
            ("//b.test/x", "wss://b.test/x", false),
            ("https://a.test/x", "https://a.test/x", false),
            ("ws://a.test:8443/", "ws://a.test:8443/", false),
        ];
        for (location, leads_to, same) in cases {
            let there = here.join(location).unwrap();
            assert_eq!(there.text.as_str(), leads_to, "{location}");
            assert_eq!(here.is_same_origin(&there), same, "{location}");
        }
        for bad in ["ftp://a/", "javascript:alert(1)", "http://", "/a b", "ws://a:0"] {
            assert!(here.join(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_user_is_told_in_base64_and_never_in_a_log() {
        let uri = Uri::parse("ws://Aladdin:open%20sesame@a/").unwrap();
        let user = uri.authority.user.as_ref().unwrap();
        // The example of RFC 7617, section 2.
        assert_eq!(user.basic(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert!(!format!("{user:?}").contains("sesame"));
        let names: Vec<_> = ["ws://u@a", "ws://u:@a", "ws://:p@a", "ws://@a"]
            .map(|text| Uri::parse(text).unwrap().authority.user.unwrap())
            .map(|user| format!("{}/{}", user.name, user.password))
            .into();
        assert_eq!(names, ["u/", "u/", "/p", "/"]);
    }
}
