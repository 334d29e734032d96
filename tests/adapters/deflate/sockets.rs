//! Compression over real sockets, between all pairs of adapters.

use std::net::TcpStream;

use sotong::handshake::client::Request;
use sotong::{CloseCode, Compress, Event, blocking, tokio as asynchronous};

use super::*;
use crate::sockets::{ADAPTERS, Adapter, nonblocking, serve};
use crate::subject::block_on;

/// A message to be sent, and how.
struct Letter {
    bytes: Vec<u8>,
    is_text: bool,
    compress: Compress,
}

impl Letter {
    fn payload(&self) -> Payload<'_> {
        let payload = match self.is_text {
            true => Payload::text(str::from_utf8(&self.bytes).unwrap()),
            false => Payload::binary(&self.bytes),
        };
        payload.compress(self.compress)
    }

    /// That it is this one that came back.
    fn check(&self, event: Option<Event<'_>>) {
        let (is_text, bytes) = match event {
            Some(Event::Text(text)) => (true, text.as_bytes()),
            Some(Event::Binary(bytes)) => (false, bytes),
            event => panic!("{event:?}"),
        };
        assert_eq!(is_text, self.is_text);
        assert!(bytes == self.bytes, "{} bytes went, {} came back", self.bytes.len(), bytes.len());
    }
}

/// Text that repeats itself and what was sent before, bytes that do not, and both; all lengths of
/// headers, and around the steps in which things are compressed and inflated.
fn letters() -> Vec<Letter> {
    // As many as make every size meet every kind of bytes and every choice.
    const SIZES: [usize; 11] = [0, 1, 50, 125, 126, 127, 128, 129, 500, 1_000, 4_000];
    const LARGE: [usize; 8] = [16_383, 16_384, 16_385, 32_768, 65_535, 65_536, 100_000, 200_000];
    const CHOICES: [Compress; 3] = [Compress::Auto, Compress::Yes, Compress::No];
    let sizes = SIZES.into_iter().cycle().take(20 * SIZES.len()).chain(LARGE);
    let lines: Vec<u8> =
        (0..).flat_map(|i| format!("{i}: {LONG}\n").into_bytes()).take(200_000).collect();
    let noise = noise(200_000);
    let letter = |(i, len): (usize, usize)| {
        let bytes = match i % 4 {
            // Each begins somewhere else.
            0 | 1 => lines[(i * 77).min(lines.len() - len)..][..len].to_vec(),
            2 => noise[(i * 77).min(noise.len() - len.min(20_000))..][..len.min(20_000)].to_vec(),
            _ => [&noise[..len / 8], &lines[..len - len / 8]].concat(),
        };
        Letter { bytes, is_text: i % 4 == 0, compress: CHOICES[i % 3] }
    };
    sizes.enumerate().map(letter).collect()
}

/// Sends all, waits for each to come back, and closes; what was agreed on.
fn talk(adapter: Adapter, stream: TcpStream, config: &Config, letters: &[Letter]) -> Agreed {
    let request = Request::default();
    match adapter {
        Adapter::Blocking => {
            let (mut ws, _) = blocking::connect_over(stream, &request, config).unwrap();
            for letter in letters {
                ws.send_message(letter.payload()).unwrap();
                letter.check(ws.recv().unwrap());
            }
            ws.close(Some(CloseCode::NORMAL.into())).unwrap();
            ws.agreed()
        }
        Adapter::Tokio => block_on(async {
            let stream = nonblocking(stream);
            stream.set_nodelay(true).unwrap();
            let (mut ws, _) = asynchronous::connect_over(stream, &request, config).await.unwrap();
            for letter in letters {
                ws.send_message(letter.payload()).await.unwrap();
                letter.check(ws.recv().await.unwrap());
            }
            ws.close(Some(CloseCode::NORMAL.into())).await.unwrap();
            ws.agreed()
        }),
    }
}

/// What both ends agreed on, which is the same.
fn agree(server: (Adapter, &Config), client: (Adapter, &Config), letters: &[Letter]) -> Agreed {
    let (stream, serving) = serve(server.0, server.1.clone());
    let agreed = talk(client.0, stream, client.1, letters);
    assert_eq!(serving.join().unwrap().unwrap(), agreed);
    agreed
}

pub fn pairings() -> impl Iterator<Item = (Adapter, Adapter)> {
    ADAPTERS.into_iter().flat_map(|server| ADAPTERS.map(|client| (server, client)))
}

#[test]
fn both_ends_know_what_was_agreed_on() {
    let none = Config::default();
    let full = config(|_| {});
    let forgetful = config(|it| (it.context_takeover, it.peer_context_takeover) = (false, false));
    let forgets_its_own = config(|it| it.context_takeover = false);
    let small = config(|it| (it.window_bits, it.peer_window_bits) = (12, 13));
    let lopsided = config(|it| it.peer_window_bits = 9);
    // Of the server and of the client: whether it forgets, its window.
    type Expected = Option<(bool, bool, u8, u8)>;
    let table: [(&Config, &Config, Expected); 12] = [
        (&none, &none, None),
        (&full, &none, None),
        (&none, &full, None),
        (&full, &full, Some((false, false, 15, 15))),
        (&forgetful, &forgetful, Some((true, true, 15, 15))),
        (&forgetful, &full, Some((true, true, 15, 15))),
        (&full, &forgetful, Some((true, true, 15, 15))),
        (&forgets_its_own, &full, Some((true, false, 15, 15))),
        (&full, &forgets_its_own, Some((false, true, 15, 15))),
        (&small, &full, Some((false, false, 12, 13))),
        (&lopsided, &full, Some((false, false, 15, 9))),
        (&full, &lopsided, Some((false, false, 9, 15))),
    ];
    // They refer to themselves and to each other, over distances that small windows do not reach.
    let letter = || [noise(3_000), noise(3_000), LONG.into()].concat();
    let letter = || Letter { bytes: letter(), is_text: false, compress: Compress::Auto };
    let letters = [letter(), letter(), letter()];
    for (server, client, expected) in table {
        for pair in pairings() {
            let agreed = agree((pair.0, server), (pair.1, client), &letters).deflate;
            let agreed = agreed.map(|it| {
                (
                    it.server_no_context_takeover,
                    it.client_no_context_takeover,
                    it.server_max_window_bits,
                    it.client_max_window_bits,
                )
            });
            assert_eq!(agreed, expected, "{pair:?}, {server:?}, {client:?}");
        }
    }
}

#[test]
fn messages_of_all_sizes_come_back_with_context_and_without() {
    let letters = letters();
    let with_context = config(|_| {});
    let without = config(|it| (it.context_takeover, it.peer_context_takeover) = (false, false));
    for config in [with_context, without] {
        for (server, client) in pairings() {
            let agreed = agree((server, &config), (client, &config), &letters);
            assert!(agreed.deflate.is_some());
        }
    }
}
