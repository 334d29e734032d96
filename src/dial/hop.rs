//! One server on a way of redirects, and what it is told.

use std::borrow::Cow;
use std::boxed::Box;
#[cfg(feature = "rustls")]
use std::io;
use std::net::SocketAddr;
use std::string::String;
use std::sync::Arc;
use std::vec::Vec;

#[cfg(feature = "rustls")]
use super::tls;
use super::{Authority, Dialer, Kind, Progress, Stage, Unfollowed, Uri, User};
use crate::adapter::{Error, Result};
use crate::buffer::SendBuffer;
use crate::config::Config;
use crate::handshake::client::{Request, Response};
use crate::handshake::tunnel::{Answer, Tunnel};
use crate::trace;

/// A server that is asked.
#[derive(Debug)]
pub(crate) struct Hop<'d> {
    dialer: &'d Dialer,
    uri: Cow<'d, Uri>,
    /// Who we are to the first server, as it is told.
    user: Option<String>,
    /// How many servers may still send us on.
    redirects: usize,
}

impl<'d> Hop<'d> {
    pub(crate) fn first(dialer: &'d Dialer) -> Self {
        let Dialer { uri, redirects, .. } = dialer;
        let user = uri.authority.user.as_ref().map(User::basic);
        Self { dialer, uri: Cow::Borrowed(uri), user, redirects: *redirects }
    }

    /// The next stage begins.
    pub(crate) fn reach(&self, next: Stage, progress: &mut Progress) {
        progress.stage = next;
        let whom = match next {
            Stage::Resolve | Stage::Connect | Stage::Proxy => self.neighbour(),
            _ => self.server(),
        };
        trace::dialing(&next, &whom.host, whom.port);
    }

    /// Whom to ask.
    pub(crate) fn server(&self) -> &Authority {
        &self.uri.authority
    }

    /// Whom to connect to.
    pub(crate) fn neighbour(&self) -> &Authority {
        self.dialer.proxy.as_ref().map_or(self.server(), |proxy| &proxy.authority)
    }

    /// How the neighbour is asked for the server, if it is a proxy.
    pub(crate) fn proxy(&self) -> Option<Kind> {
        self.dialer.proxy.as_ref().map(|proxy| proxy.kind)
    }

    /// Queues what to ask a proxy.
    pub(crate) fn start_tunnel(&self, tx: &mut SendBuffer) -> Tunnel {
        let user = self.neighbour().user.as_ref().map(User::basic);
        let to = &self.server().with_port();
        Tunnel::start(to, user.as_deref(), &self.settings().limits, tx)
    }

    pub(crate) fn settings(&self) -> &Arc<Config> {
        &self.dialer.config
    }

    pub(crate) fn is_secure(&self) -> bool {
        self.uri.is_secure
    }

    /// How TLS is done, and whom the certificate is to be for.
    #[cfg(feature = "rustls")]
    pub(crate) fn tls(
        &self,
    ) -> io::Result<(Arc<rustls::ClientConfig>, rustls::pki_types::ServerName<'static>)> {
        let config = match &self.dialer.tls {
            Some(config) => Arc::clone(config),
            None => tls::default_config()?,
        };
        Ok((config, tls::server_name(&self.server().host)?))
    }

    /// What to ask for.
    ///
    /// Credentials do not cross origins: header fields, and the user, are told to the one that they
    /// were meant for (RFC 9110, section 15.4). A field Authorization is told in place of the user.
    pub(crate) fn fields(&self) -> Fields<'_> {
        let Dialer { uri, headers, subprotocols, .. } = self.dialer;
        let mut fields = Vec::new();
        if self.uri.is_same_origin(uri) {
            let mut names = headers.0.iter().map(|(name, _)| name);
            let is_told = names.any(|name| name.eq_ignore_ascii_case("Authorization"));
            fields.extend(headers.0.iter().map(|(name, value)| (&**name, &**value)));
            let user = self.user.as_deref().filter(|_| !is_told);
            fields.extend(user.map(|user| ("Authorization", user)));
        }
        let subprotocols = subprotocols.iter().map(String::as_str).collect();
        Fields { hop: self, headers: fields, subprotocols }
    }

    /// Where a refusal sends us, if it does and we go.
    pub(crate) fn redirected(
        self,
        refusal: Box<Response>,
        progress: &mut Progress,
    ) -> Result<Self> {
        if !matches!(refusal.status(), 301 | 302 | 303 | 307 | 308) {
            return Err(Error::Refused(refusal));
        }
        if self.dialer.redirects > 0 {
            progress.stage = Stage::Redirect;
        }
        match self.onward(&refusal) {
            Ok(uri) => {
                trace::redirected(refusal.status(), &uri.authority.host, uri.authority.port);
                Ok(Self { uri: Cow::Owned(uri), redirects: self.redirects - 1, ..self })
            }
            Err(unfollowed) => {
                progress.unfollowed = Some(unfollowed);
                Err(Error::Refused(refusal))
            }
        }
    }

    /// Where a redirect leads. Credentials would not follow from `wss` to `ws`, and nor do we.
    fn onward(&self, redirect: &Response) -> Result<Uri, Unfollowed> {
        if self.dialer.redirects == 0 {
            return Err(Unfollowed::NotAsked);
        }
        if self.redirects == 0 {
            return Err(Unfollowed::OneTooMany);
        }
        let location = redirect.headers().text("location").ok_or(Unfollowed::NoLocation)?;
        let uri = self.uri.join(location).map_err(Unfollowed::NoUri)?;
        if self.uri.is_secure && !uri.is_secure {
            return Err(Unfollowed::ToPlain);
        }
        Ok(uri)
    }
}

/// Whether a proxy has opened the way.
pub(crate) fn is_open(answer: Option<Answer>) -> Result<bool> {
    match answer {
        None => Ok(false),
        Some(Answer::Open) => Ok(true),
        Some(Answer::Refused(response)) => Err(Error::Refused(response.into())),
    }
}

/// What a request is made of.
#[derive(Debug)]
pub(crate) struct Fields<'h> {
    hop: &'h Hop<'h>,
    headers: Vec<(&'h str, &'h str)>,
    subprotocols: Vec<&'h str>,
}

impl Fields<'_> {
    pub(crate) fn request(&self) -> Request<'_> {
        Request {
            host: &self.hop.server().field,
            target: &self.hop.uri.target,
            origin: self.hop.dialer.origin.as_deref(),
            subprotocols: &self.subprotocols,
            headers: &self.headers,
        }
    }
}

/// Addresses in the order in which they are tried: the families by turns, and the one that the system
/// puts first begins (RFC 8305, section 4).
pub(crate) fn interleave(addresses: impl IntoIterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let mut addresses = addresses.into_iter().peekable();
    let first_is_v6 = addresses.peek().is_some_and(SocketAddr::is_ipv6);
    let (first, other): (Vec<_>, Vec<_>) =
        addresses.partition(|address| address.is_ipv6() == first_is_v6);
    let mut other = other.into_iter();
    let mut order: Vec<_> =
        first.into_iter().flat_map(|address| [Some(address), other.next()]).flatten().collect();
    order.extend(other);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns_and_the_first_begins() {
        let order = |list: &[&str]| -> Vec<_> {
            let addresses = list.iter().map(|address| address.parse().unwrap());
            interleave(addresses)
                .iter()
                .map(|address: &SocketAddr| std::format!("{address}"))
                .collect()
        };
        assert_eq!(order(&[]), [""; 0]);
        assert_eq!(
            order(&["[::1]:1", "[::2]:1", "1.1.1.1:1"]),
            ["[::1]:1", "1.1.1.1:1", "[::2]:1"]
        );
        let six = ["1.1.1.1:1", "[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.2:1"];
        let expected = ["1.1.1.1:1", "[::1]:1", "1.1.1.2:1", "[::2]:1", "[::3]:1"];
        assert_eq!(order(&six), expected);
    }
}
