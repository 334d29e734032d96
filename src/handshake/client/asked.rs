//! What a client asked for, and whether the answer opens the connection (RFC 6455, section 4.1).

use alloc::string::String;
use alloc::sync::Arc;

use base64::Engine;

use super::{Parsed, Request, Response};
use crate::config::Config;
use crate::connection::{Agreed, Connection, MaskingKeys};
use crate::deflate::Deflate;
use crate::handshake::{BASE64, Extension, HandshakeError, accept_bytes};
use crate::trace;

/// What a client asked for, which its server's answer is held against.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(super) config: Arc<Config>,
    keys: MaskingKeys,
    /// What answers our key; a request by CONNECT has none (RFC 8441, section 5).
    accept: Option<[u8; 28]>,
    /// The subprotocols that were offered, each on a line.
    offered: String,
}

impl Asked {
    pub(crate) fn new(
        request: &Request<'_>,
        config: Arc<Config>,
        keys: MaskingKeys,
        key: Option<&[u8; 24]>,
    ) -> Self {
        let accept = key.map(|key| accept_bytes(key));
        Self { config, keys, accept, offered: request.subprotocols.join("\n") }
    }

    /// Whether the connection is open with this status, if the rest of the answer is right.
    #[cfg(feature = "http")]
    pub(super) fn is_opened_by(&self, status: u16) -> bool {
        match self.accept {
            Some(_) => status == 101,
            None => (200..=299).contains(&status), // RFC 8441, section 5
        }
    }

    /// The connection that the server's answer opens.
    pub(super) fn open(
        &self,
        response: &Response,
        parsed: &Parsed,
    ) -> Result<Connection, HandshakeError> {
        if let Some(accept) = &self.accept {
            check_switch(accept, response, parsed)?;
        }
        let mut chosen = response.headers.all("sec-websocket-protocol");
        match (chosen.next(), chosen.next()) {
            (None, _) => {}
            (Some(name), None)
                if self.offered.lines().any(|offered| offered.as_bytes() == name) => {}
            _ => return Err(HandshakeError::SubprotocolNotOffered),
        }
        let agreed = self.agree(response)?;
        trace::opened(|| response.subprotocol(), agreed.deflate.is_some());
        Ok(Connection::client(Arc::clone(&self.config), agreed, self.keys))
    }

    /// What the server's answer to the offered extensions agrees on; each may stand there once.
    fn agree(&self, response: &Response) -> Result<Agreed, HandshakeError> {
        let mut agreed = Agreed::default();
        for value in response.headers.all("sec-websocket-extensions") {
            let list = core::str::from_utf8(value).map_err(|_| HandshakeError::BadExtensions)?;
            for extension in Extension::list(list) {
                let extension = extension.map_err(|_| HandshakeError::BadExtensions)?;
                let deflate = match &self.config.deflate {
                    Some(deflate) if extension.name == Deflate::NAME => deflate,
                    _ => return Err(HandshakeError::ExtensionNotOffered),
                };
                let answer = deflate.accept(&extension).ok_or(HandshakeError::BadDeflate)?;
                if agreed.deflate.replace(answer).is_some() {
                    return Err(HandshakeError::BadDeflate);
                }
            }
        }
        Ok(agreed)
    }
}

/// What "the client MUST validate" in the answer that changes the protocol.
fn check_switch(
    accept: &[u8; 28],
    response: &Response,
    parsed: &Parsed,
) -> Result<(), HandshakeError> {
    if !parsed.is_http_11 {
        return Err(HandshakeError::NotHttp11);
    }
    // Here Upgrade is one value, "an ASCII case-insensitive match for the value websocket";
    // Connection is a list.
    if (parsed.upgrades, parsed.is_websocket) != (1, true) {
        return Err(HandshakeError::NoUpgrade);
    }
    if !parsed.connection {
        return Err(HandshakeError::NoConnectionUpgrade);
    }
    let mut accepts = response.headers.all("sec-websocket-accept");
    match (accepts.next(), accepts.next()) {
        (Some(answer), None) if answer == accept => {}
        _ => return Err(HandshakeError::BadAccept),
    }
    if parsed.body { Err(HandshakeError::UnexpectedBody) } else { Ok(()) }
}

/// The key that is made of a nonce.
pub(crate) fn key(nonce: [u8; 16]) -> [u8; 24] {
    let mut key = [0; 24];
    BASE64.encode_slice(nonce, &mut key).expect("16 bytes make 24 in base64");
    key
}
