//! When to dial again, and when not to.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use super::{DialError, Stage};
use crate::adapter::Error;
use crate::close::CloseCode;
use crate::handshake::HandshakeError;
use crate::handshake::client::Response;

/// Says how long to wait before the next attempt to connect, and whether there is to be one.
///
/// It waits for some time between half of [`first`](Self::first) and a span that doubles with every
/// attempt up to [`most`](Self::most), so that clients that lost their server at the same moment do not
/// come back at the same moment (RFC 6455, section 7.2.3). It sleeps nowhere: it has no runtime.
///
/// ```no_run
/// # #[cfg(feature = "tokio")]
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use sotong::dial::{Dialer, Reconnect};
/// use sotong::{CloseCode, Event};
///
/// let dialer = Dialer::new("ws://example.com/ticker")?;
/// let mut reconnect = Reconnect::default();
/// loop {
///     let pause = match sotong::tokio::connect(&dialer).await {
///         Err(error) => reconnect.after_failure(&error),
///         Ok((mut ws, _)) => {
///             reconnect.connected();
///             let mut code = CloseCode::ABNORMAL;
///             while let Ok(Some(event)) = ws.recv().await {
///                 match event {
///                     Event::Close(frame) => code = frame.map_or(CloseCode::NO_STATUS, |f| f.code),
///                     event => println!("{event:?}"),
///                 }
///             }
///             reconnect.after_close(code)
///         }
///     };
///     let Some(pause) = pause else { break };
///     tokio::time::sleep(pause).await;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Reconnect {
    /// The span for the first attempt: one second by default.
    pub first: Duration,
    /// The largest span: a minute by default.
    pub most: Duration,
    /// Attempts since the last connection that lasted.
    attempts: u32,
    connected: Option<Instant>,
}

impl Default for Reconnect {
    fn default() -> Self {
        let (first, most) = (Duration::from_secs(1), Duration::from_secs(60));
        Self { first, most, attempts: 0, connected: None }
    }
}

/// What the registry of close codes asks for at 1012: from 5 to 30 seconds.
const AFTER_RESTART: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(30)];

/// The longest that a server may have us wait with Retry-After.
const MAX_RETRY_AFTER: u64 = 3600;

impl Reconnect {
    /// Says that there is a connection. If it lasts longer than the largest span, the next pause will
    /// be short again.
    ///
    /// For an example see [`Reconnect`].
    pub fn connected(&mut self) {
        self.connected = Some(Instant::now());
    }

    /// The pause after an attempt that failed; `None` to give up.
    ///
    /// What may be otherwise next time is tried again: a name that is not found, a stream that fails, a
    /// deadline, a server that answers 408, 425, 429, 500, 502, 503 or 504 (its Retry-After holds if it
    /// is in seconds). Any other refusal stays one, also of a proxy, and so does a certificate that is
    /// not trusted; errors of I/O say with `PermissionDenied`, `InvalidInput` and `Unsupported` that
    /// they will come again.
    ///
    /// For an example see [`Reconnect`].
    pub fn after_failure(&mut self, error: &DialError) -> Option<Duration> {
        let at_least = match (error.stage(), error.error()) {
            (Stage::Redirect, _) => return None,
            (stage, Error::Io(error)) if is_final(stage, error.kind()) => return None,
            (_, Error::Io(_) | Error::TimedOut(_)) => Duration::ZERO,
            (_, Error::Handshake(HandshakeError::UnexpectedEof)) => Duration::ZERO,
            (_, Error::Refused(refusal)) => retry_after(refusal)?,
            _ => return None,
        };
        Some(self.pause().max(at_least))
    }

    /// The pause after a connection that ended with this code, or with
    /// [`CloseCode::ABNORMAL`]; `None` to stay away.
    ///
    /// | code | |
    /// |---|---|
    /// | 1001, 1006, 1011, 1014 | as always |
    /// | 1012, 1013 | from 5 to 30 seconds at least |
    /// | 1000, 1005 | the connection has served its purpose |
    /// | others | the server does not want what we sent; 4000 and above are the application's to judge |
    ///
    /// For an example see [`Reconnect`].
    pub fn after_close(&mut self, code: CloseCode) -> Option<Duration> {
        match code {
            CloseCode::GOING_AWAY
            | CloseCode::ABNORMAL
            | CloseCode::INTERNAL_ERROR
            | CloseCode::BAD_GATEWAY => Some(self.pause()),
            CloseCode::RESTART | CloseCode::TRY_AGAIN_LATER => {
                Some(self.pause().max(between(AFTER_RESTART)))
            }
            _ => None,
        }
    }

    /// A pause, whatever has happened.
    ///
    /// ```
    /// use std::time::Duration;
    /// use sotong::dial::Reconnect;
    ///
    /// let mut reconnect = Reconnect::default();
    /// reconnect.first = Duration::from_millis(200);
    /// for most in [200, 400, 800] {
    ///     let pause = reconnect.pause().as_millis();
    ///     assert!((100..=most).contains(&pause));
    /// }
    /// ```
    pub fn pause(&mut self) -> Duration {
        if self.connected.take().is_some_and(|since| since.elapsed() > self.most) {
            self.attempts = 0;
        }
        let doubled = 2u32.saturating_pow(self.attempts);
        self.attempts = self.attempts.saturating_add(1);
        let span = self.first.saturating_mul(doubled).min(self.most);
        between([span.min(self.first / 2), span])
    }
}

/// Whether I/O will fail in the same way next time.
fn is_final(stage: Stage, kind: ErrorKind) -> bool {
    match kind {
        // Where nothing is connected yet it is a rule of this machine's, which may be lifted.
        ErrorKind::PermissionDenied => stage != Stage::Connect,
        ErrorKind::InvalidInput | ErrorKind::Unsupported => true,
        // What TLS says of a certificate, and of a server that does not speak it.
        ErrorKind::InvalidData => stage == Stage::Tls,
        _ => false,
    }
}

/// How long a refusal has us wait at least, if it may be otherwise then.
fn retry_after(refusal: &Response) -> Option<Duration> {
    if !matches!(refusal.status(), 408 | 425 | 429 | 500 | 502..=504) {
        return None;
    }
    let seconds = refusal.headers().text("retry-after").and_then(|text| text.parse::<u64>().ok());
    Some(Duration::from_secs(seconds.unwrap_or(0).min(MAX_RETRY_AFTER)))
}

/// Some time between two; the longer one if the system has no randomness.
fn between([least, most]: [Duration; 2]) -> Duration {
    let random = getrandom::u32().unwrap_or(u32::MAX);
    least + most.saturating_sub(least).mul_f64(f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffer::{ReceiveBuffer, SendBuffer};
    use crate::config::Config;
    use crate::error::{SendError, TimedOut};
    use crate::handshake::client::{Handshake, Outcome, Request};
    use std::boxed::Box;
    use std::io;
    use std::vec::Vec;

    const SECOND: Duration = Duration::from_secs(1);

    fn refusal(head: &[u8]) -> Error {
        let (mut tx, request) = (SendBuffer::new(), Request::default());
        let config = Config::default();
        let mut handshake =
            Handshake::start(&request, config, [0; 16], || Some([0; 4]), &mut tx).unwrap();
        let mut rx = ReceiveBuffer::with_capacity(1000);
        assert_eq!(rx.extend(head), head.len());
        match handshake.receive(&mut rx).unwrap().unwrap() {
            Outcome::Refused(response) => Error::Refused(Box::new(response)),
            Outcome::Open(..) => panic!("refused"),
        }
    }

    #[test]
    fn pauses_double_up_to_the_most_and_differ_from_each_other() {
        for _ in 0..100 {
            let mut reconnect = Reconnect::default();
            for span in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
                let pause = reconnect.pause();
                assert!((SECOND / 2..=SECOND * span).contains(&pause), "{pause:?} of {span}");
            }
        }
        let mut reconnect = Reconnect { attempts: u32::MAX, ..Reconnect::default() };
        let pauses: Vec<_> = (0..100).map(|_| reconnect.pause()).collect();
        let longest = pauses.iter().max().unwrap();
        assert!(*longest > SECOND * 40, "a hundred of a minute: {longest:?}");
        assert!(pauses.iter().any(|pause| *pause < SECOND * 20));
    }

    #[test]
    fn a_connection_that_lasted_makes_the_next_pause_short_again() {
        let most = Duration::from_millis(20);
        let mut reconnect = Reconnect { first: most / 20, most, ..Reconnect::default() };
        for _ in 0..10 {
            reconnect.pause();
        }
        reconnect.connected();
        reconnect.pause();
        assert_eq!(reconnect.attempts, 11, "it did not last");
        reconnect.connected();
        std::thread::sleep(most * 2);
        assert!(reconnect.pause() <= most / 20);
        assert_eq!(reconnect.attempts, 1);
    }

    #[test]
    fn codes_say_whether_to_come_back() {
        let mut reconnect = Reconnect::default();
        for code in [1001, 1006, 1011, 1014] {
            assert!(reconnect.after_close(CloseCode(code)).is_some(), "{code}");
        }
        for code in [1000, 1002, 1003, 1005, 1007, 1008, 1009, 1010, 1015, 3000, 4001] {
            assert_eq!(reconnect.after_close(CloseCode(code)), None, "{code}");
        }
        for code in [1012, 1013] {
            let pause = Reconnect::default().after_close(CloseCode(code)).unwrap();
            assert!((SECOND * 5..=SECOND * 30).contains(&pause), "{code}: {pause:?}");
        }
    }

    #[test]
    fn refusals_stay_refusals_and_what_may_pass_is_tried_again() {
        let pause =
            |stage, error| Reconnect::default().after_failure(&DialError::new(stage, error));
        let io = |kind: ErrorKind| Error::Io(io::Error::from(kind));
        for (stage, error) in [
            (Stage::Resolve, io(ErrorKind::NotFound)),
            (Stage::Connect, io(ErrorKind::ConnectionRefused)),
            (Stage::Tls, io(ErrorKind::ConnectionReset)),
            (Stage::Proxy, TimedOut::Handshake.into()),
            (Stage::Handshake, HandshakeError::UnexpectedEof.into()),
            (Stage::Handshake, refusal(b"HTTP/1.1 503 \r\nContent-Length: 0\r\n\r\n")),
            (
                Stage::Handshake,
                refusal(b"HTTP/1.1 429 \r\nContent-Length: 0\r\nRetry-After: no\r\n\r\n"),
            ),
        ] {
            assert!(pause(stage, error).unwrap() <= SECOND);
        }
        for (stage, error) in [
            (Stage::Uri, Error::Uri(super::super::InvalidUri::Scheme)),
            (Stage::Tls, io(ErrorKind::InvalidData)),
            (Stage::Tls, io(ErrorKind::InvalidInput)),
            (Stage::Tls, io(ErrorKind::Unsupported)),
            (Stage::Proxy, io(ErrorKind::PermissionDenied)),
            (Stage::Handshake, HandshakeError::BadAccept.into()),
            (Stage::Handshake, SendError::NoMaskingKey.into()),
            (Stage::Handshake, refusal(b"HTTP/1.1 401 \r\nContent-Length: 0\r\n\r\n")),
            (Stage::Handshake, refusal(b"HTTP/1.1 302 \r\nContent-Length: 0\r\n\r\n")),
            (Stage::Redirect, refusal(b"HTTP/1.1 503 \r\nContent-Length: 0\r\n\r\n")),
        ] {
            let told = std::format!("{error}");
            assert_eq!(pause(stage, error), None, "{told}");
        }
        for (seconds, expected) in [("7", 7), ("99999999", 3600)] {
            let head = std::format!(
                "HTTP/1.1 503 \r\nContent-Length: 0\r\nRetry-After: {seconds}\r\n\r\n"
            );
            assert_eq!(
                pause(Stage::Handshake, refusal(head.as_bytes())),
                Some(Duration::from_secs(expected))
            );
        }
    }
}
