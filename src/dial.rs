//! From a URI to a connection: names, addresses, proxies, TLS, redirects (feature `dial`).
//!
//! [`tokio::connect`](crate::tokio::connect) and [`blocking::connect`](crate::blocking::connect) take
//! a URI, or a [`Dialer`] that says more:
//!
//! ```no_run
//! # #[cfg(feature = "tokio")]
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use sotong::dial::{Dialer, Proxy};
//!
//! let (mut ws, _response) = sotong::tokio::connect("ws://example.com/chat").await?;
//! ws.send_text("안녕").await?;
//!
//! let dialer = Dialer::new("ws://example.com/chat")?
//!     .header("Authorization", "Bearer 7ax2")
//!     .subprotocol("chat.v2")
//!     .proxy(Proxy::new("http://proxy.test:3128")?)
//!     .redirects(3);
//! let (mut ws, _response) = sotong::tokio::connect(&dialer).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Every [failure](DialError) says at which [`Stage`] it came. All stages are under one deadline,
//! [`Timeouts::handshake`](crate::Timeouts::handshake). `wss://` needs the feature `rustls`.

#[cfg(all(test, target_os = "linux"))]
pub(crate) mod deaf;
mod error;
mod hop;
mod proxy;
mod reconnect;
#[cfg(feature = "socks")]
pub(crate) mod socks;
#[cfg(feature = "rustls")]
mod tls;
pub(crate) mod uri;

use std::fmt;
use std::str::FromStr;
use std::string::{String, ToString};
use std::sync::Arc;
use std::vec::Vec;

use crate::config::Config;

pub use error::{DialError, Stage};
pub(crate) use error::{Progress, Unfollowed};
pub(crate) use hop::{Hop, interleave, is_open};
pub(crate) use proxy::Kind;
pub use proxy::Proxy;
pub use reconnect::Reconnect;
pub use uri::InvalidUri;
pub(crate) use uri::{Authority, Uri, User};

/// Whom to connect to, and how. It can be used again, as after a connection was lost.
///
/// For an example see the [module](self).
#[derive(Clone, Debug)]
pub struct Dialer {
    uri: Uri,
    pub(crate) config: Arc<Config>,
    origin: Option<String>,
    subprotocols: Vec<String>,
    headers: Headers,
    proxy: Option<Proxy>,
    redirects: usize,
    #[cfg(feature = "rustls")]
    tls: Option<Arc<rustls::ClientConfig>>,
}

impl Dialer {
    /// For `ws://host:port/path?query`, or `wss://` with the feature `rustls`.
    ///
    /// A user and a password before the host are sent as Basic credentials, unless a
    /// [`header`](Self::header) Authorization takes their place. Texts can be parsed, and converted,
    /// too:
    ///
    /// ```no_run
    /// use sotong::blocking::connect;
    /// use sotong::dial::Dialer;
    ///
    /// let uri = format!("ws://example.com/{}", "chat");
    /// let dialer: Dialer = uri.parse()?;
    /// let (ws, _response) = connect(dialer.subprotocol("chat.v2"))?;
    /// let (ws, _response) = connect(uri)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidUri`].
    pub fn new(uri: &str) -> Result<Self, InvalidUri> {
        Ok(Self {
            uri: Uri::parse(uri)?,
            config: Arc::default(),
            origin: None,
            subprotocols: Vec::new(),
            headers: Headers::default(),
            proxy: None,
            redirects: 0,
            #[cfg(feature = "rustls")]
            tls: None,
        })
    }

    /// Limits, timeouts and compression.
    ///
    /// ```
    /// use std::time::Duration;
    /// use sotong::Config;
    /// use sotong::dial::Dialer;
    ///
    /// let mut config = Config::default();
    /// config.limits.message = 64 * 1024;
    /// config.timeouts.handshake = Some(Duration::from_secs(5));
    /// let dialer = Dialer::new("ws://example.com/chat")?.config(config);
    /// # Ok::<(), sotong::dial::InvalidUri>(())
    /// ```
    pub fn config(mut self, config: impl Into<Arc<Config>>) -> Self {
        self.config = config.into();
        self
    }

    /// The Origin to tell, as browsers do: scheme and host of a page, for servers that ask for one.
    ///
    /// ```
    /// # use sotong::dial::{Dialer, InvalidUri};
    /// let dialer = Dialer::new("ws://example.com/chat")?.origin("https://example.com");
    /// # Ok::<(), InvalidUri>(())
    /// ```
    pub fn origin(mut self, origin: &str) -> Self {
        self.origin = Some(origin.to_string());
        self
    }

    /// Offers a subprotocol; those that come first are wanted most.
    ///
    /// For an example see the [module](self).
    pub fn subprotocol(mut self, name: &str) -> Self {
        self.subprotocols.push(name.to_string());
        self
    }

    /// A further header field, as credentials. It is told to the origin of the URI alone, wherever a
    /// redirect leads.
    ///
    /// For an example see the [module](self).
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.0.push((name.to_string(), value.to_string()));
        self
    }

    /// Connects through a proxy. Without one it connects directly: the environment (`HTTP_PROXY` and
    /// its like) is not read.
    ///
    /// For an example see the [module](self).
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = Some(proxy);
        self
    }

    /// Follows so many redirects, by default none: then a redirect is a
    /// [`refusal`](DialError::refusal). None leads from `wss` to `ws`.
    ///
    /// For an example see the [module](self).
    pub fn redirects(mut self, at_most: usize) -> Self {
        self.redirects = at_most;
        self
    }

    /// How TLS is done: whom to trust, certificates of our own. By default the roots of Mozilla's
    /// programme are trusted, or those of the platform with the feature `platform-roots`.
    ///
    /// Its `alpn_protocols` are to be `http/1.1` alone, as by default, or none: the upgrade is one of
    /// HTTP/1.1, and a server that is offered `h2` may speak that.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sotong::dial::Dialer;
    /// # let certificate = rcgen::generate_simple_self_signed(["localhost".into()])?.cert;
    /// # let our_authority = certificate.der().clone();
    /// let mut roots = rustls::RootCertStore::empty();
    /// roots.add(our_authority)?;
    /// let mut config =
    ///     rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    /// config.alpn_protocols = vec![b"http/1.1".to_vec()];
    /// let dialer = Dialer::new("wss://localhost:9001/")?.tls(Arc::new(config));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "rustls")]
    pub fn tls(mut self, config: Arc<rustls::ClientConfig>) -> Self {
        self.tls = Some(config);
        self
    }
}

impl TryFrom<&str> for Dialer {
    type Error = InvalidUri;

    fn try_from(uri: &str) -> Result<Self, InvalidUri> {
        Self::new(uri)
    }
}

impl TryFrom<&String> for Dialer {
    type Error = InvalidUri;

    fn try_from(uri: &String) -> Result<Self, InvalidUri> {
        Self::new(uri)
    }
}

impl TryFrom<String> for Dialer {
    type Error = InvalidUri;

    fn try_from(uri: String) -> Result<Self, InvalidUri> {
        Self::new(&uri)
    }
}

impl FromStr for Dialer {
    type Err = InvalidUri;

    fn from_str(uri: &str) -> Result<Self, InvalidUri> {
        Self::new(uri)
    }
}

impl From<&Self> for Dialer {
    fn from(dialer: &Self) -> Self {
        dialer.clone()
    }
}

/// Header fields, whose values stay out of logs: they may be credentials.
#[derive(Clone, Default)]
struct Headers(Vec<(String, String)>);

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// What `wss` would come to without the feature `rustls`, where it is no valid URI in the first place
/// ([`InvalidUri::NeedsRustls`]).
#[cfg(not(feature = "rustls"))]
pub(crate) fn no_tls() -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::Unsupported, "`wss` needs the feature `rustls`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_stay_out_of_logs() {
        let dialer = Dialer::new("ws://me:SECRET@a/").unwrap();
        let proxy = Proxy::new("http://me:SECRET@proxy.test").unwrap();
        let dialer = dialer.header("Authorization", "SECRET").header("Cookie", "SECRET");
        let printed = std::format!("{:?}", dialer.proxy(proxy));
        assert!(printed.contains(r#"headers: ["Authorization", "Cookie"]"#), "{printed}");
        assert!(!printed.contains("SECRET"), "{printed}");
    }
}
