//! Randomness from the operating system, for masking keys and nonces that nobody can predict (RFC
//! 6455, section 10.3). There is no other source: when it fails nothing is sent.

use std::cell::RefCell;

use crate::error::SendError;

/// The nonce of an opening handshake: "a randomly selected 16-byte value" (section 4.1).
pub(crate) fn nonce() -> Result<[u8; 16], SendError> {
    let mut nonce = [0; 16];
    fill(&mut nonce).ok_or(SendError::NoMaskingKey)?;
    Ok(nonce)
}

/// A masking key from the operating system, never used before.
///
/// The system is asked for many at a time, for each thread, since a call costs as much as 100 keys.
pub(crate) fn masking_key() -> Option<[u8; 4]> {
    std::thread_local! {
        static KEYS: RefCell<Keys> =
            const { RefCell::new(Keys { fresh: [[0; 4]; AT_A_TIME], left: 0 }) };
    }
    KEYS.with_borrow_mut(|keys| {
        if keys.left == 0 {
            fill(keys.fresh.as_flattened_mut())?;
            keys.left = AT_A_TIME;
        }
        keys.left -= 1;
        Some(std::mem::take(&mut keys.fresh[keys.left]))
    })
}

const AT_A_TIME: usize = 1024;

/// Keys that nobody has had, from the first on.
struct Keys {
    fresh: [[u8; 4]; AT_A_TIME],
    left: usize,
}

/// Fills all of it, or says that it could not.
fn fill(bytes: &mut [u8]) -> Option<()> {
    #[cfg(test)]
    if let Some(source) = tests::SOURCE.get() {
        return source(bytes);
    }
    getrandom::fill(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::Error;
    use crate::blocking;
    use crate::config::Config;
    use crate::connection::Event;
    use crate::frame::FrameHeader;
    use crate::handshake::{accept_value, client};
    use std::cell::Cell;
    use std::collections::HashSet;
    use std::io::{self, Read, Write};
    use std::vec::Vec;
    use std::{format, vec};

    type Source = fn(&mut [u8]) -> Option<()>;

    std::thread_local! {
        /// What stands in for the operating system on this thread.
        pub(super) static SOURCE: Cell<Option<Source>> = const { Cell::new(None) };
        /// The bytes that `counting` has given.
        static GIVEN: Cell<u32> = const { Cell::new(0) };
    }

    /// Bytes that tell from which request they are, and where in it.
    fn counting(bytes: &mut [u8]) -> Option<()> {
        let request = GIVEN.get() + 1;
        GIVEN.set(request);
        for (i, key) in bytes.chunks_mut(4).enumerate() {
            key.copy_from_slice(&(request << 16 | i as u32).to_be_bytes());
        }
        Some(())
    }

    /// Writes something before it fails.
    fn failing(bytes: &mut [u8]) -> Option<()> {
        bytes[0] = 0xbb;
        None
    }

    /// Runs on a thread of its own, which has no keys yet.
    fn fresh(test: impl FnOnce() + Send + 'static) {
        std::thread::spawn(test).join().unwrap();
    }

    /// By each thread; fewer under an interpreter, which is slow.
    const DRAWS: usize = if cfg!(miri) { 100 } else { 2_000 };

    #[test]
    fn keys_do_not_repeat_and_threads_do_not_share_them() {
        let draw = || (0..DRAWS).map(|_| masking_key().unwrap()).collect::<Vec<_>>();
        let other = std::thread::spawn(draw).join().unwrap();
        let distinct: HashSet<_> = draw().into_iter().chain(other).collect();
        // 4,000 of 2^32: two alike happen once in 500 runs, five alike never.
        assert!(distinct.len() > 2 * DRAWS - 5, "{}", distinct.len());
        assert_ne!(nonce().unwrap(), nonce().unwrap());
    }

    #[test]
    fn every_key_of_the_source_is_given_once_and_none_besides() {
        fresh(|| {
            SOURCE.set(Some(counting));
            let draw = |_| u32::from_be_bytes(masking_key().unwrap());
            let mut drawn: Vec<_> = (0..3 * AT_A_TIME).map(draw).collect();
            drawn.sort_unstable();
            let all = (1..=3u32)
                .flat_map(|request| (0..AT_A_TIME).map(move |i| request << 16 | i as u32));
            assert!(drawn.into_iter().eq(all));
            assert_eq!(GIVEN.get(), 3);
            assert_eq!(nonce().unwrap(), *b"\0\x04\0\0\0\x04\0\x01\0\x04\0\x02\0\x04\0\x03");
        });
    }

    #[test]
    fn a_source_that_fails_gives_nothing_and_nothing_stands_in_for_it() {
        fresh(|| {
            SOURCE.set(Some(failing));
            for _ in 0..2 {
                assert_eq!((masking_key(), nonce()), (None, Err(SendError::NoMaskingKey)));
            }
            SOURCE.set(Some(counting));
            let drawn = (0..AT_A_TIME).map(|_| masking_key().unwrap());
            let given = (0..AT_A_TIME).rev().map(|i| 1 << 16 | i as u32);
            assert!(drawn.map(u32::from_be_bytes).eq(given));
            SOURCE.set(Some(failing));
            assert_eq!(masking_key(), None, "those that were given are not given again");
        });
    }

    /// A stream that reads from a list and keeps what is written.
    #[derive(Default)]
    struct Memory {
        reads: Vec<Vec<u8>>,
        written: Vec<u8>,
    }

    impl Read for Memory {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            if self.reads.is_empty() {
                return Ok(0);
            }
            let read = self.reads.remove(0);
            buf[..read.len()].copy_from_slice(&read);
            Ok(read.len())
        }
    }

    impl Write for Memory {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            self.written.extend_from_slice(buf);
            Ok(buf.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl blocking::Stream for Memory {}
    impl blocking::Stream for &mut Memory {}

    /// The first masking key of a connection: the first request was for the nonce, and keys are given
    /// from the last on.
    const LAST: u32 = 2 << 16 | (AT_A_TIME as u32 - 1);

    /// The key that the first 16 bytes of `counting` are.
    const KEY: &str = "AAEAAAABAAEAAQACAAEAAw==";

    fn acceptance() -> Vec<u8> {
        let accept = accept_value(KEY);
        format!(
            "HTTP/1.1 101 \r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        )
        .into()
    }

    fn is_without_key<T>(result: Result<T, Error>) -> bool {
        matches!(result, Err(Error::Send(SendError::NoMaskingKey)))
    }

    /// The keys of the frames on the wire.
    fn keys(mut wire: &[u8]) -> Vec<u32> {
        let mut keys = vec![];
        while let Ok(Some((header, len))) = FrameHeader::decode(wire) {
            keys.push(u32::from_be_bytes(header.masking_key.expect("a client masks")));
            wire = &wire[len + header.payload_len as usize..];
        }
        keys
    }

    #[test]
    fn a_blocking_client_sends_nothing_without_a_key() {
        fresh(|| {
            let request = client::Request::default();
            SOURCE.set(Some(failing));
            let mut io = Memory::default();
            assert!(is_without_key(blocking::connect_over(&mut io, &request, Config::default())));
            assert_eq!(io.written, b"");

            SOURCE.set(Some(counting));
            let reads = vec![acceptance(), b"\x89\x01?".into(), b"\x81\x01!".into()];
            let io = Memory { reads, ..Memory::default() };
            let (mut ws, _) = blocking::connect_over(io, &request, Config::default()).unwrap();
            let asked = ws.stream().written.clone();
            let line = format!("\r\nSec-WebSocket-Key: {KEY}\r\n");
            assert!(asked.windows(line.len()).any(|part| part == line.as_bytes()));

            SOURCE.set(Some(failing));
            for _ in 0..2 {
                assert!(is_without_key(ws.send_text("a")));
                assert!(is_without_key(ws.send_binary(&[1; 100_000])));
                assert!(is_without_key(ws.ping(b"")));
            }
            assert_eq!(ws.recv().unwrap(), Some(Event::Ping(b"?")));
            assert_eq!(ws.recv().unwrap(), Some(Event::Text("!")));
            assert_eq!(ws.stream().written, asked, "not even the pong");

            SOURCE.set(Some(counting));
            ws.send_text("a").unwrap();
            let sent = &ws.stream().written[asked.len()..];
            assert_eq!((sent[0], sent[7]), (0x8a, 0x81), "the pong that was due, the message");
            assert_eq!(keys(sent), [LAST, LAST - 1]);
        });
    }

    #[cfg(feature = "tokio")]
    #[test]
    fn a_tokio_client_sends_nothing_without_a_key() {
        use ::tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

        async fn talk() {
            let request = client::Request::default();
            let (ours, mut theirs) = duplex(1 << 20);
            SOURCE.set(Some(failing));
            let refused = crate::tokio::connect_over(ours, &request, Config::default()).await;
            assert!(is_without_key(refused));
            let mut written = vec![];
            theirs.read_to_end(&mut written).await.unwrap();
            assert_eq!(written, b"");

            SOURCE.set(Some(counting));
            let (ours, mut theirs) = duplex(1 << 20);
            theirs.write_all(&[&acceptance()[..], b"\x89\x01?\x81\x01!"].concat()).await.unwrap();
            let (mut ws, _) =
                crate::tokio::connect_over(ours, &request, Config::default()).await.unwrap();
            let mut asked = [0; 1000];
            let n = theirs.read(&mut asked).await.unwrap();
            let line = format!("\r\nSec-WebSocket-Key: {KEY}\r\n");
            assert!(asked[..n].windows(line.len()).any(|part| part == line.as_bytes()));

            SOURCE.set(Some(failing));
            for _ in 0..2 {
                assert!(is_without_key(ws.send_text("a").await));
                assert!(is_without_key(ws.send_binary(&[1; 100_000]).await));
                assert!(is_without_key(ws.ping(b"").await));
            }
            assert_eq!(ws.recv().await.unwrap(), Some(Event::Ping(b"?")));
            assert_eq!(ws.recv().await.unwrap(), Some(Event::Text("!")));

            SOURCE.set(Some(counting));
            ws.send_text("a").await.unwrap();
            drop(ws);
            let mut sent = vec![];
            theirs.read_to_end(&mut sent).await.unwrap();
            assert_eq!((sent[0], sent[7]), (0x8a, 0x81), "the pong that was due, the message");
            assert_eq!(keys(&sent), [LAST, LAST - 1]);
        }
        fresh(|| {
            let runtime = ::tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(talk());
        });
    }
}
