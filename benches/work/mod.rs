//! The works that are measured, in time by `parts` and in instructions by `instructions`.

mod echo;

use std::hint::black_box;
use std::sync::Arc;

use sotong::handshake::{client, server};
use sotong::{
    Agreed, Config, Connection, Deflate, DeflateParameters, Event, FrameHeader, Mask, Opcode,
    Payload, ReceiveBuffer, SendBuffer,
};

/// Something to do over and over.
pub struct Work {
    pub name: String,
    /// How many messages, or other units, one run handles.
    pub units: usize,
    /// How many bytes of payload those are.
    #[allow(dead_code, reason = "instructions are counted for each unit only")]
    pub bytes: usize,
    pub run: Box<dyn FnMut()>,
}

/// All works, in the order in which a byte passes through the crate.
pub fn works() -> Vec<Work> {
    let mut works = vec![handshake_server(), handshake_client(), headers()];
    works.extend([16, 125, 1024, 16 << 10, 1 << 20].map(mask));
    works.extend([(1, 32), (16, 128), (20, 300)].map(|(min, max)| mask_mixed(min, max)));
    let sizes = [16, 125, 1024, 16 << 10, 1 << 20];
    works.extend(sizes.map(|len| receive("binary", Opcode::Binary, &binary(len))));
    works.extend(sizes[1..].iter().map(|&len| receive("text", Opcode::Text, &text(len))));
    works.extend(sizes[1..3].iter().map(|&len| receive("ascii", Opcode::Text, &ascii(len))));
    works.extend([16, 125, 1024].map(receive_singly));
    works.push(receive_fragments());
    works.extend([16, 125, 1024, 64 << 10].map(send_from_server));
    works.extend([16, 125, 1024, 64 << 10].map(send_from_client));
    works.extend([16, 125].map(echo::echo));
    works.extend([compress(), inflate(true), inflate(false)]);
    works
}

fn binary(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7 + i / 251) as u8).collect()
}

/// Korean with some Latin, as people write it.
fn text(len: usize) -> Vec<u8> {
    filled("안녕하세요, sotong 입니다. 오늘 회의는 10시에 시작합니다. ", len)
}

fn ascii(len: usize) -> Vec<u8> {
    filled("The quick brown fox jumps over the lazy dog; 0123456789. ", len)
}

/// A phrase over and over, ended with full stops where a character would be cut.
fn filled(phrase: &str, len: usize) -> Vec<u8> {
    let mut text = phrase.repeat(len / phrase.len() + 1);
    let end = (0..=len).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    text.truncate(end);
    text.extend(std::iter::repeat_n('.', len - text.len()));
    text.into_bytes()
}

/// A message as a client sends it.
fn masked(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let key = [0x37, 0xfa, 0x21, 0x3d];
    let header = FrameHeader {
        fin: true,
        reserved: 0,
        opcode,
        masking_key: Some(key),
        payload_len: payload.len() as u64,
    };
    let mut frame = header.encode().as_ref().to_vec();
    let start = frame.len();
    frame.extend_from_slice(payload);
    Mask::new(key).apply(&mut frame[start..]);
    frame
}

/// A server that takes whatever comes.
struct Server {
    conn: Connection,
    rx: ReceiveBuffer,
}

impl Server {
    fn new() -> Self {
        let mut config = Config::default();
        config.limits.message = u64::MAX;
        config.limits.frame = u64::MAX;
        let rx = ReceiveBuffer::with_capacity(config.limits.receive_buffer);
        Self { conn: Connection::server(&config, Agreed::default()), rx }
    }

    /// Receives all of `bytes`, as much at a time as fits; how many messages came.
    fn receive(&mut self, mut bytes: &[u8]) -> usize {
        let mut messages = 0;
        while !bytes.is_empty() {
            let taken = self.rx.extend(bytes);
            bytes = &bytes[taken..];
            while let Some(event) = self.conn.next_event(&mut self.rx).expect("valid frames") {
                messages += usize::from(matches!(event, Event::Text(_) | Event::Binary(_)));
                black_box(event);
            }
        }
        messages
    }
}

fn receive(kind: &str, opcode: Opcode, payload: &[u8]) -> Work {
    let len = payload.len();
    let units = ((256 << 10) / (len + 8)).max(1);
    let wire = masked(opcode, payload).repeat(units);
    let mut server = Server::new();
    Work {
        name: format!("receive {kind} {}", size(len)),
        units,
        bytes: units * len,
        run: Box::new(move || assert_eq!(server.receive(black_box(&wire)), units)),
    }
}

fn receive_singly(len: usize) -> Work {
    let frame = masked(Opcode::Binary, &binary(len));
    let mut server = Server::new();
    Work {
        name: format!("receive binary {}, one a read", size(len)),
        units: 1000,
        bytes: 1000 * len,
        run: Box::new(move || {
            for _ in 0..1000 {
                assert_eq!(server.receive(black_box(&frame)), 1);
            }
        }),
    }
}

/// A message of 16 KiB in fragments of 1 KiB.
fn receive_fragments() -> Work {
    let whole = masked(Opcode::Binary, &binary(1024));
    let (mut first, mut middle, mut last) = (whole.clone(), whole.clone(), whole);
    (first[0], middle[0], last[0]) = (0x02, 0x00, 0x80);
    let wire = [first, middle.repeat(14), last].concat();
    let mut server = Server::new();
    Work {
        name: "receive binary 16 KiB, 16 fragments".into(),
        units: 1,
        bytes: 16 << 10,
        run: Box::new(move || assert_eq!(server.receive(black_box(&wire)), 1)),
    }
}

fn send_from_server(len: usize) -> Work {
    send("server", Connection::server(Config::default(), Agreed::default()), len)
}

fn send_from_client(len: usize) -> Work {
    // Keys that cost nothing: what is measured is the crate.
    let conn =
        Connection::client(Config::default(), Agreed::default(), || Some([0x37, 0xfa, 0x21, 0x3d]));
    send("client", conn, len)
}

fn send(role: &str, mut conn: Connection, len: usize) -> Work {
    let payload = binary(len);
    let mut tx = SendBuffer::new();
    Work {
        name: format!("send {role} {}", size(len)),
        units: 100,
        bytes: 100 * len,
        run: Box::new(move || {
            for _ in 0..100 {
                let mut transmit =
                    conn.send_binary(black_box(&payload), &mut tx).expect("it is open");
                black_box(transmit.slices());
                transmit.consume(transmit.len());
            }
        }),
    }
}

fn mask(len: usize) -> Work {
    let mut bytes = vec![7; len];
    let mut mask = Mask::new([0x37, 0xfa, 0x21, 0x3d]);
    Work {
        name: format!("mask {}", size(len)),
        units: 1,
        bytes: len,
        run: Box::new(move || mask.apply(black_box(&mut bytes))),
    }
}

/// Lengths that no branch predictor can learn, as messages of people have.
fn mask_mixed(min: usize, max: usize) -> Work {
    let mut random = 1u64;
    let lens: Vec<usize> = std::iter::repeat_with(|| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        min + (random >> 33) as usize % (max - min)
    })
    .take(16 << 10)
    .collect();
    let mut bytes = vec![7; max];
    let mut mask = Mask::new([0x37, 0xfa, 0x21, 0x3d]);
    Work {
        name: format!("mask {} to {}, mixed", size(min), size(max)),
        units: lens.len(),
        bytes: lens.iter().sum(),
        run: Box::new(move || {
            for &len in &lens {
                mask.apply(black_box(&mut bytes[..len]));
            }
        }),
    }
}

fn headers() -> Work {
    let lens = [5, 125, 126, 65_535, 65_536];
    let headers = lens.map(|payload_len| FrameHeader {
        fin: true,
        reserved: 0,
        opcode: Opcode::Binary,
        masking_key: Some([1, 2, 3, 4]),
        payload_len,
    });
    Work {
        name: "header encode, decode".into(),
        units: headers.len(),
        bytes: 0,
        run: Box::new(move || {
            for header in black_box(headers) {
                let bytes = header.encode();
                black_box(FrameHeader::decode(black_box(bytes.as_ref())).expect("a valid header"));
            }
        }),
    }
}

/// What a browser sends.
pub const REQUEST: &[u8] = b"GET /chat?room=1 HTTP/1.1\r\n\
    Host: chat.example.com\r\n\
    Connection: Upgrade\r\n\
    Pragma: no-cache\r\n\
    Cache-Control: no-cache\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36\r\n\
    Upgrade: websocket\r\n\
    Origin: https://chat.example.com\r\n\
    Sec-WebSocket-Version: 13\r\n\
    Accept-Encoding: gzip, deflate, br\r\n\
    Accept-Language: ko-KR,ko;q=0.9,en-US;q=0.8,en;q=0.7\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";

fn handshake_server() -> Work {
    let config = Arc::new(Config::default());
    let mut rx = ReceiveBuffer::with_capacity(config.limits.receive_buffer);
    let mut tx = SendBuffer::new();
    Work {
        name: "handshake server".into(),
        units: 1,
        bytes: 0,
        run: Box::new(move || {
            assert_eq!(rx.extend(black_box(REQUEST)), REQUEST.len());
            let mut handshake = server::Handshake::new(&config);
            let request = handshake.receive(&mut rx).expect("a request").expect("all of it");
            black_box(request.accept(&server::Response::default(), Arc::clone(&config), &mut tx))
                .expect("upgrade");
            let mut transmit = tx.transmit();
            black_box(transmit.slices());
            transmit.consume(transmit.len());
        }),
    }
}

fn handshake_client() -> Work {
    let config = Arc::new(Config::default());
    let mut rx = ReceiveBuffer::with_capacity(config.limits.receive_buffer);
    let mut tx = SendBuffer::new();
    let request = client::Request { host: "example.com", target: "/chat", ..Default::default() };
    let answer =
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    Work {
        name: "handshake client".into(),
        units: 1,
        bytes: 0,
        run: Box::new(move || {
            let nonce = black_box(*b"the sample nonce");
            let mut handshake =
                client::Handshake::start(&request, Arc::clone(&config), nonce, || None, &mut tx)
                    .expect("a request");
            let mut transmit = tx.transmit();
            black_box(transmit.slices());
            transmit.consume(transmit.len());
            assert_eq!(rx.extend(black_box(answer)), answer.len());
            black_box(handshake.receive(&mut rx).expect("101").expect("all of it"));
        }),
    }
}

/// A line of a chat; with context all but the first are little more than a reference.
fn line() -> Payload<'static> {
    Payload::text(
        r#"{"type":"message","room":"general","from":"user7","id":"9e3779b97f4a7c15","sent":1700000000000,"text":"one of the messages of the day, with a word or two to be read by all the others that are here"}"#,
    )
}

fn deflating() -> (Config, Agreed) {
    let mut config = Config::default();
    let mut deflate = Deflate::default();
    (deflate.context_takeover, deflate.threshold) = (true, 0);
    config.deflate = Some(deflate);
    let mut agreed = Agreed::default();
    agreed.deflate = Some(DeflateParameters::default());
    (config, agreed)
}

fn compress() -> Work {
    let (config, agreed) = deflating();
    let mut conn = Connection::server(&config, agreed);
    let mut tx = SendBuffer::new();
    Work {
        name: "send server 200 B, compressed".into(),
        units: 1,
        bytes: line().as_bytes().len(),
        run: Box::new(move || {
            let mut transmit = conn.send(black_box(line()), &mut tx).expect("it is open");
            black_box(transmit.slices());
            transmit.consume(transmit.len());
        }),
    }
}

fn inflate(context: bool) -> Work {
    let (config, mut agreed) = deflating();
    if let Some(deflate) = &mut agreed.deflate {
        deflate.server_no_context_takeover = !context;
    }
    let mut server = Connection::server(&config, agreed);
    let mut client = Connection::client(&config, agreed, || Some([0; 4]));
    let mut rx = ReceiveBuffer::with_capacity(config.limits.receive_buffer);
    let mut tx = SendBuffer::new();
    let mut frame = || {
        let mut transmit = server.send(line(), &mut tx).expect("it is open");
        let frame = transmit.slices().concat();
        transmit.consume(frame.len());
        frame
    };
    // The second one refers to the first, and so do all copies of it.
    let (first, second) = (frame(), frame());
    let mut receive = move |frame: &[u8]| {
        assert_eq!(rx.extend(black_box(frame)), frame.len());
        black_box(client.next_event(&mut rx).expect("a valid frame").expect("a message"));
    };
    receive(&first);
    Work {
        name: format!("receive 200 B, {}", if context { "context" } else { "each alone" }),
        units: 1,
        bytes: line().as_bytes().len(),
        run: Box::new(move || receive(&second)),
    }
}

fn size(len: usize) -> String {
    match len {
        0..1024 => format!("{len} B"),
        1024..1_048_576 => format!("{} KiB", len >> 10),
        _ => format!("{} MiB", len >> 20),
    }
}
