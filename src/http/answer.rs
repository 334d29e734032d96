//! What a server is asked, and what it answers.

use std::format;
use std::string::{String, ToString};
use std::sync::Arc;
use std::vec::Vec;

use ::http::header::{
    ALLOW, CONNECTION, CONTENT_TYPE, HOST, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use ::http::{HeaderValue, StatusCode};

use super::{Head, append, has_connect, push_fields};
use crate::config::Config;
use crate::connection::Connection;
use crate::handshake::HandshakeError;
use crate::handshake::server::{Request, Response};
use crate::trace;

impl Request {
    /// A request that an HTTP stack has read: an [`http::Request`], or its
    /// [`Parts`](::http::request::Parts).
    ///
    /// `protocol` is what `:protocol` says, over HTTP/2 and HTTP/3: look for the stack's type in
    /// the request's extensions, as `hyper::ext::Protocol`. Over HTTP/1.1 there is none, and it is
    /// not looked at.
    ///
    /// Whether the request is for a WebSocket [`upgrade`](Self::upgrade) tells, as ever.
    ///
    /// ```
    /// use sotong::handshake::server::Request;
    ///
    /// let request = http::Request::connect("https://example.com/chat")
    ///     .version(http::Version::HTTP_2)
    ///     .header("Sec-WebSocket-Version", "13")
    ///     .header("Sec-WebSocket-Protocol", "soup, bowl")
    ///     .body(())?;
    /// let asked = Request::from_http(&request, Some("websocket"));
    /// assert_eq!(asked.upgrade(), Ok(()));
    /// assert_eq!((asked.host(), asked.path()), ("example.com", "/chat"));
    /// assert!(asked.subprotocols().eq(["soup", "bowl"]));
    /// # Ok::<(), http::Error>(())
    /// ```
    pub fn from_http<'r>(head: impl Into<Head<'r>>, protocol: Option<&str>) -> Self {
        let head = head.into();
        // With the first line, and the Host that `:authority` stands for.
        let lines = head.fields.len() + 2;
        match has_connect(head.version) {
            true => Self::from_connect(&head.with_authority(), lines, protocol),
            false => Self::from_head(&head.as_it_is(), lines),
        }
    }

    /// The answer that opens the connection, for the HTTP stack to send, and the connection, for
    /// the stream that the stack hands over then: see [`Parts::new`](crate::blocking::Parts::new).
    ///
    /// The body is empty; [`map`](::http::Response::map) makes it one of another type.
    ///
    /// ```
    /// use sotong::Config;
    /// use sotong::handshake::server::{Request, Response};
    ///
    /// let request = http::Request::get("/chat")
    ///     .header("Host", "example.com")
    ///     .header("Upgrade", "websocket")
    ///     .header("Connection", "Upgrade")
    ///     .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
    ///     .header("Sec-WebSocket-Version", "13")
    ///     .body(())?;
    /// let asked = Request::from_http(&request, None);
    /// let (answer, connection) = asked.accept_http(&Response::default(), Config::default())?;
    /// assert_eq!(answer.status(), 101);
    /// assert_eq!(answer.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As of [`accept`](Self::accept): [`refuse_http`](Self::refuse_http) has the answer for it.
    pub fn accept_http(
        &self,
        response: &Response<'_>,
        config: impl Into<Arc<Config>>,
    ) -> Result<(::http::Response<String>, Connection), HandshakeError> {
        let config = config.into();
        let accept = self.accept_value()?;
        let (agreed, extensions) = self.agree(response, &config)?;
        let mut answer = ::http::Response::new(String::new());
        if let Some(accept) = accept {
            *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            let accept = HeaderValue::from_bytes(&accept).expect("base64 is visible");
            let fields = answer.headers_mut();
            fields.insert(UPGRADE, HeaderValue::from_static("websocket"));
            fields.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
            fields.insert(SEC_WEBSOCKET_ACCEPT, accept);
        }
        if let Some(chosen) = response.subprotocol {
            append(answer.headers_mut(), "sec-websocket-protocol", chosen)?;
        }
        if let Some(extensions) = extensions {
            append(answer.headers_mut(), "sec-websocket-extensions", &extensions)?;
        }
        for (name, value) in response.headers {
            append(answer.headers_mut(), name, value)?;
        }
        Ok((answer, Connection::server(config, agreed)))
    }

    /// The answer to a request that is not accepted, for the HTTP stack to send: the error's
    /// [`status`](HandshakeError::status), or 500 where it is not the client that is at fault.
    ///
    /// Over HTTP/2 and HTTP/3, which know no upgrade, 400 stands for 426. The size of the answer
    /// depends on the error alone, and it repeats nothing of the request.
    ///
    /// ```
    /// use sotong::Config;
    /// use sotong::handshake::server::{Request, Response};
    ///
    /// let request = http::Request::get("/chat").header("Host", "example.com").body(())?;
    /// let asked = Request::from_http(&request, None);
    /// let answer = match asked.accept_http(&Response::default(), Config::default()) {
    ///     Ok((answer, _connection)) => answer,
    ///     Err(error) => asked.refuse_http(error),
    /// };
    /// assert_eq!(answer.status(), 426); // Upgrade Required
    /// assert_eq!(answer.headers()["upgrade"], "websocket");
    /// # Ok::<(), http::Error>(())
    /// ```
    pub fn refuse_http(&self, error: HandshakeError) -> ::http::Response<String> {
        let status = match error.status() {
            Some(426) if !self.is_http_1() => 400,
            Some(status) => status,
            None => 500, // what is wrong with our answer is nothing to tell a client
        };
        trace::refused(&error, error.section(), status);
        let body = if status == 500 { String::new() } else { format!("{error}\n") };
        let mut answer = ::http::Response::new(body);
        *answer.status_mut() = StatusCode::from_u16(status).expect("it has three digits");
        let fields = answer.headers_mut();
        if status != 500 {
            fields.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        }
        if status == 426 {
            fields.insert(UPGRADE, HeaderValue::from_static("websocket"));
            fields.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        }
        match error {
            HandshakeError::MethodNotGet => {
                fields.insert(ALLOW, HeaderValue::from_static("GET"));
            }
            HandshakeError::MethodNotConnect => {
                fields.insert(ALLOW, HeaderValue::from_static("CONNECT"));
            }
            // "A |Sec-WebSocket-Version| header field indicating the version(s)" (RFC 6455, section
            // 4.4).
            HandshakeError::NoUpgrade | HandshakeError::UnsupportedVersion => {
                fields.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
            }
            _ => {}
        }
        answer
    }
}

impl Head<'_> {
    /// The head of HTTP/1.1 that it was.
    fn as_it_is(&self) -> Vec<u8> {
        let mut head = format!("{} {} {:?}\r\n", self.method, self.uri, self.version).into_bytes();
        push_fields(self.fields.iter(), &mut head);
        head
    }

    /// A head like one of HTTP/1.1, with `:authority` as Host, which it replaces (RFC 9113, section
    /// 8.3.1). A Host that says the same may stand beside it, one that says something else makes
    /// two.
    fn with_authority(&self) -> Vec<u8> {
        let authority = self.uri.authority().map(|authority| authority.as_str());
        let target = match self.uri.path_and_query() {
            Some(path) => path.to_string(),
            None => authority.unwrap_or("*").to_string(), // that of a plain CONNECT
        };
        let mut head = format!("{} {target} {:?}\r\n", self.method, self.version);
        if let Some(authority) = authority {
            head.extend(["host: ", authority, "\r\n"]);
        }
        let mut head = head.into_bytes();
        let is_repeated = |value: &HeaderValue| {
            authority.is_some_and(|authority| {
                value.as_bytes().eq_ignore_ascii_case(authority.as_bytes())
            })
        };
        let fields = self.fields.iter();
        push_fields(fields.filter(|(name, value)| *name != HOST || !is_repeated(value)), &mut head);
        head
    }
}
