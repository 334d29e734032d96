//! Proxies on the way to a server.

use iri_string::types::UriStr;

use super::uri::{Authority, InvalidUri, no_uri};

/// A proxy that connections are made through.
///
/// For an example see the [module](super).
#[derive(Clone, Debug)]
pub struct Proxy {
    pub(crate) kind: Kind,
    pub(crate) authority: Authority,
}

/// How a proxy is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// With CONNECT (RFC 9110, section 9.3.6).
    Http,
    /// SOCKS version 5 (RFC 1928).
    #[cfg(feature = "socks")]
    Socks,
}

impl Proxy {
    /// Reads `http://host:port`, and `socks5://host:port` with the feature `socks`; `socks5h` is the
    /// same. A user and a password may stand before the host, in percent-encoding where they are
    /// no plain letters: `http://user:password@host:port`.
    ///
    /// The proxy looks up the server's host, whichever it is.
    ///
    /// ```
    /// use sotong::dial::{Dialer, InvalidUri, Proxy};
    ///
    /// let proxy = Proxy::new("http://user:p%40ss@proxy.test:3128")?;
    /// let dialer = Dialer::new("ws://example.com/chat")?.proxy(proxy);
    /// assert_eq!(Proxy::new("proxy.test:3128").unwrap_err(), InvalidUri::ProxyScheme);
    /// # Ok::<(), InvalidUri>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidUri`].
    pub fn new(uri: &str) -> Result<Self, InvalidUri> {
        let uri = UriStr::new(uri).map_err(|_| no_uri(uri, InvalidUri::ProxyScheme))?;
        let (kind, port) = match &*uri.scheme_str().to_ascii_lowercase() {
            "http" => (Kind::Http, 80),
            #[cfg(feature = "socks")]
            "socks5" | "socks5h" => (Kind::Socks, 1080),
            #[cfg(not(feature = "socks"))]
            "socks5" | "socks5h" => return Err(InvalidUri::NeedsSocks),
            _ => return Err(InvalidUri::ProxyScheme),
        };
        if uri.fragment().is_some() || !matches!(uri.path_str(), "" | "/") || uri.query().is_some()
        {
            return Err(InvalidUri::Malformed);
        }
        Ok(Self { kind, authority: Authority::of(uri, port)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_has_a_kind_an_address_and_perhaps_a_user() {
        let proxy = Proxy::new("http://us%3Aer:p%40ss@Proxy.test:3128/").unwrap();
        let Authority { host, port, field, user } = proxy.authority;
        assert_eq!((proxy.kind, &*host, port), (Kind::Http, "proxy.test", 3128));
        let user = user.unwrap();
        assert_eq!((&*field, &*user.name, &*user.password), ("proxy.test:3128", "us:er", "p@ss"));
        assert_eq!(Proxy::new("HTTP://[::1]").unwrap().authority.port, 80);
        #[cfg(feature = "socks")]
        for scheme in ["socks5", "socks5h"] {
            let proxy = Proxy::new(&std::format!("{scheme}://a")).unwrap();
            assert_eq!((proxy.kind, proxy.authority.port), (Kind::Socks, 1080));
        }
    }

    #[test]
    fn what_is_no_proxy_is_told_precisely() {
        let cases = [
            ("proxy:3128", InvalidUri::ProxyScheme),
            ("127.0.0.1:3128", InvalidUri::ProxyScheme),
            ("https://a", InvalidUri::ProxyScheme),
            ("ws://a", InvalidUri::ProxyScheme),
            #[cfg(not(feature = "socks"))]
            ("socks5h://a", InvalidUri::NeedsSocks),
            ("http://", InvalidUri::Host),
            ("http://a:0", InvalidUri::Port),
            ("http://a/path", InvalidUri::Malformed),
            ("http://a?b", InvalidUri::Malformed),
            ("http://a#b", InvalidUri::Malformed),
            ("//a", InvalidUri::ProxyScheme),
        ];
        for (uri, error) in cases {
            assert_eq!(Proxy::new(uri).map(|_| ()), Err(error), "{uri}");
        }
    }
}
