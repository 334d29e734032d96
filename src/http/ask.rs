//! What a client asks, and what it is answered.

use std::format;
use std::string::String;
use std::sync::Arc;

use ::http::header::{
    CONNECTION, HOST, HeaderMap, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use ::http::uri::{Authority, PathAndQuery, Scheme};
use ::http::{HeaderValue, Method, Uri, Version};

use super::{append, has_connect, push_fields};
use crate::adapter::{Result, masking_key, nonce};
use crate::config::Config;
use crate::handshake::HandshakeError;
use crate::handshake::client::{Asked, Outcome, Request, key};

/// A client's opening handshake, whose heads an HTTP stack writes and reads.
///
/// ```
/// use sotong::Config;
/// use sotong::handshake::client::{Outcome, Request};
/// use sotong::http::Handshake;
///
/// let wanted = Request { host: "example.com", target: "/chat", ..Request::default() };
/// let scheme = http::uri::Scheme::HTTPS;
/// let (handshake, request) = Handshake::connect(&wanted, scheme, Config::default())?;
/// assert_eq!(request.uri(), "https://example.com/chat");
///
/// // Tell the stack what `:protocol` is to say, with hyper by an extension of the request, which is
/// // `hyper::ext::Protocol::from_static("websocket")`. Send it, and hold the answer against it.
/// let response = http::Response::builder().version(http::Version::HTTP_2).body(())?;
/// match handshake.receive(&response)? {
///     Outcome::Open(connection, response) => assert_eq!(response.status(), 200),
///     Outcome::Refused(response) => panic!("{}", response.status()),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Handshake {
    asked: Asked,
    /// Whether the answer must be one of HTTP/2 or HTTP/3.
    by_connect: bool,
}

impl Handshake {
    /// The request for HTTP/1.1, by Upgrade. It names a path, and the server in Host, as is right
    /// for one connection; what looks for a connection itself wants a whole URI in it.
    ///
    /// The body is empty; [`map`](::http::Request::map) makes it one of another type.
    ///
    /// ```
    /// use sotong::Config;
    /// use sotong::handshake::client::{Outcome, Request};
    /// # use sotong::handshake::server;
    /// use sotong::http::Handshake;
    ///
    /// let wanted = Request { host: "example.com", target: "/chat", ..Request::default() };
    /// let (handshake, request) = Handshake::upgrade(&wanted, Config::default())?;
    /// assert_eq!(request.uri(), "/chat");
    /// assert_eq!(request.headers()["host"], "example.com");
    /// // Send it with the stack, and hold its `response` against it.
    /// # let asked = server::Request::from_http(&request, None);
    /// # let (response, _) = asked.accept_http(&server::Response::default(), Config::default())?;
    /// assert!(matches!(handshake.receive(&response)?, Outcome::Open(_connection, _response)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`SendError::NoMaskingKey`](crate::SendError::NoMaskingKey) without randomness for the
    /// nonce; and
    /// for a request that must not be sent as of
    /// [`client::Handshake::start`](crate::handshake::client::Handshake::start).
    pub fn upgrade(
        request: &Request<'_>,
        config: impl Into<Arc<Config>>,
    ) -> Result<(Self, ::http::Request<String>)> {
        let (host, target) = check(request)?;
        let key = key(nonce()?);
        let mut asking = ::http::Request::new(String::new());
        *asking.uri_mut() = Uri::from(target);
        let fields = asking.headers_mut();
        fields.insert(HOST, HeaderValue::from_str(host.as_str()).expect("a host is visible"));
        fields.insert(UPGRADE, HeaderValue::from_static("websocket"));
        fields.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        let value = HeaderValue::from_bytes(&key).expect("base64 is visible");
        fields.insert(SEC_WEBSOCKET_KEY, value);
        let config = config.into();
        put_fields(request, &config, fields)?;
        let asked = Asked::new(request, config, masking_key, Some(&key));
        Ok((Self { asked, by_connect: false }, asking))
    }

    /// The request for HTTP/2 and HTTP/3, by an extended CONNECT (RFC 8441, section 5; RFC 9220).
    /// The scheme is `https` for `wss` and `http` for `ws`.
    ///
    /// The caller adds what makes the stack say `:protocol: websocket`, and waits until the server
    /// has said that it knows the extended CONNECT, if the stack does not. The version is HTTP/2;
    /// it may be changed. The body is empty; [`map`](::http::Request::map) makes it one of another
    /// type.
    ///
    /// For an example see [`Handshake`].
    ///
    /// # Errors
    ///
    /// For a request that must not be sent as of
    /// [`client::Handshake::start`](crate::handshake::client::Handshake::start).
    pub fn connect(
        request: &Request<'_>,
        scheme: Scheme,
        config: impl Into<Arc<Config>>,
    ) -> Result<(Self, ::http::Request<String>)> {
        let (host, target) = check(request)?;
        let mut asking = ::http::Request::new(String::new());
        *asking.method_mut() = Method::CONNECT;
        *asking.version_mut() = Version::HTTP_2;
        let uri = Uri::builder().scheme(scheme).authority(host).path_and_query(target).build();
        *asking.uri_mut() = uri.map_err(|_| HandshakeError::ForbiddenTarget)?;
        let config = config.into();
        put_fields(request, &config, asking.headers_mut())?;
        let asked = Asked::new(request, config, masking_key, None);
        Ok((Self { asked, by_connect: true }, asking))
    }

    /// How the handshake ended. A refusal's body is with the stack.
    ///
    /// Once it is open the stack hands over the stream: see
    /// [`Parts::new`](crate::blocking::Parts::new).
    ///
    /// For an example see [`Handshake`].
    ///
    /// # Errors
    ///
    /// The server broke a rule: drop the stream.
    pub fn receive<B>(&self, response: &::http::Response<B>) -> Result<Outcome, HandshakeError> {
        if self.by_connect && !has_connect(response.version()) {
            return Err(HandshakeError::NotHttp2);
        }
        // Of the versions that answer CONNECT the parser knows nothing, and needs not.
        let version = if self.by_connect { Version::HTTP_11 } else { response.version() };
        let status = response.status().as_u16();
        let mut head = format!("{version:?} {status} \r\n").into_bytes();
        push_fields(response.headers().iter(), &mut head);
        Outcome::of_head(&self.asked, &head, response.headers().len())
    }
}

/// What a request that may be sent asks for.
fn check(request: &Request<'_>) -> Result<(Authority, PathAndQuery), HandshakeError> {
    request.check()?;
    let host = Authority::try_from(request.host).map_err(|_| HandshakeError::ForbiddenHost)?;
    let target =
        PathAndQuery::try_from(request.target).map_err(|_| HandshakeError::ForbiddenTarget)?;
    Ok((host, target))
}

/// The fields that are alike over all versions.
fn put_fields(
    request: &Request<'_>,
    config: &Config,
    fields: &mut HeaderMap,
) -> Result<(), HandshakeError> {
    fields.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    let mut put = Ok(());
    request.fields(config, |name, value| put = put.and(append(fields, name, value)));
    put
}
