//! CONNECT: a proxy is asked for a way to a server (RFC 9110, section 9.3.6).

use alloc::vec::Vec;

use super::client::{Response, parse};
use super::head::{HeadSearch, Headers};
use super::{HandshakeError, push_all, push_headers};
use crate::buffer::{ReceiveBuffer, SendBuffer};
use crate::config::Limits;

/// A way that was asked for.
#[derive(Debug)]
pub(crate) struct Tunnel {
    search: HeadSearch,
    interim: usize,
    max: usize,
}

impl Tunnel {
    /// Queues the request. `to` is host and port, which the grammar of CONNECT wants both (section
    /// 9.3.6); `authorization` is for the proxy alone.
    pub(crate) fn start(
        to: &str,
        authorization: Option<&str>,
        limits: &Limits,
        tx: &mut SendBuffer,
    ) -> Self {
        push_all(&["CONNECT ", to, " HTTP/1.1\r\nHost: ", to, "\r\n"], tx);
        if let Some(credentials) = authorization {
            push_headers(&[("Proxy-Authorization", credentials)], tx);
        }
        tx.push(b"\r\n");
        Self { search: HeadSearch::new(limits), interim: 0, max: limits.head }
    }

    /// The proxy's answer, once it is here. Interim ones are passed over.
    pub(crate) fn receive(
        &mut self,
        rx: &mut ReceiveBuffer,
    ) -> Result<Option<Answer>, HandshakeError> {
        while let Some((parsed, len)) = self.search.read(rx, parse)? {
            let headers = Headers::keep(&rx.unparsed()[..len]);
            rx.skip(len);
            match parsed.status {
                100..=199 => self.interim += len,
                // What is behind it would be the server's, and no server speaks before its client does.
                200..=299 if !rx.is_empty() => return Err(HandshakeError::UnexpectedBody),
                200..=299 => return Ok(Some(Answer::Open)),
                status => {
                    let response = Response { status, headers, body: Vec::new() };
                    return Ok(Some(Answer::Refused(response)));
                }
            }
            if self.interim > self.max {
                return Err(HandshakeError::HeadTooLarge);
            }
        }
        Ok(None)
    }
}

/// What a proxy says.
#[derive(Debug)]
pub(crate) enum Answer {
    /// From now on the stream leads to the server.
    Open,
    /// It does not.
    Refused(Response),
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    /// How many bytes of the answer it takes to know, and what then is known.
    fn ask(answer: &[u8]) -> (usize, Result<Option<Answer>, HandshakeError>) {
        let (limits, mut tx) = (Limits::default(), SendBuffer::new());
        let mut tunnel = Tunnel::start("[::1]:443", Some("Basic eA=="), &limits, &mut tx);
        assert_eq!(
            tx.transmit().slices()[0],
            b"CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\nProxy-Authorization: Basic eA==\r\n\r\n"
        );
        let mut rx = ReceiveBuffer::with_capacity(limits.head);
        for (i, byte) in answer.iter().enumerate() {
            assert_eq!(rx.extend(&[*byte]), 1);
            match tunnel.receive(&mut rx) {
                Ok(None) => {}
                done => return (i + 1, done),
            }
        }
        (answer.len(), Ok(None))
    }

    #[test]
    fn a_way_is_open_with_any_success_whatever_else_the_answer_says() {
        for status in [200, 204, 299] {
            // "A server MUST NOT send any Transfer-Encoding or Content-Length" and a client ignores them.
            let answer = format!("HTTP/1.0 {status} \r\nContent-Length: 5\r\n\r\n");
            let (len, answered) = ask(answer.as_bytes());
            assert_eq!(len, answer.len());
            assert!(matches!(answered, Ok(Some(Answer::Open))), "{answered:?}");
        }
        let (_, answered) = ask(b"HTTP/1.1 100 \r\n\r\nHTTP/1.1 407 \r\nA: b\r\n\r\n");
        let Ok(Some(Answer::Refused(refusal))) = answered else { panic!("{answered:?}") };
        assert_eq!((refusal.status(), refusal.headers().text("a")), (407, Some("b")));
    }

    #[test]
    fn an_answer_that_is_none_is_refused() {
        assert_eq!(ask(b"SSH-2.0-x\r\n\r\n").1.unwrap_err(), HandshakeError::Malformed);
        let (limits, mut tx) = (Limits::default(), SendBuffer::new());
        let mut tunnel = Tunnel::start("a:1", None, &limits, &mut tx);
        let mut rx = ReceiveBuffer::with_capacity(limits.head);
        assert_eq!(rx.extend(b"HTTP/1.1 200 \r\n\r\nHello"), 22);
        assert_eq!(tunnel.receive(&mut rx).unwrap_err(), HandshakeError::UnexpectedBody);
    }

    #[test]
    fn interim_answers_do_not_go_on_forever() {
        let endless = INTERIM.repeat(1000);
        let (len, answered) = ask(&endless);
        assert_eq!(answered.unwrap_err(), HandshakeError::HeadTooLarge);
        assert!(len < 20_000, "{len}");

        // As many bytes as a head may have, and a few more.
        let limits = Limits { head: 3 * INTERIM.len(), ..Limits::default() };
        for (count, is_open) in [(3, true), (4, false)] {
            let mut tunnel = Tunnel::start("a:1", None, &limits, &mut SendBuffer::new());
            let mut rx = ReceiveBuffer::with_capacity(512);
            let answer = [INTERIM.repeat(count), b"HTTP/1.1 200 \r\n\r\n".to_vec()].concat();
            assert_eq!(rx.extend(&answer), answer.len());
            let answered = tunnel.receive(&mut rx);
            assert_eq!(matches!(answered, Ok(Some(Answer::Open))), is_open, "{answered:?}");
        }
    }

    const INTERIM: &[u8] = b"HTTP/1.1 103 \r\nLink: x\r\n\r\n";
}
