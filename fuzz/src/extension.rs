//! The value of Sec-WebSocket-Extensions in both directions: read as its grammar says, answered as
//! RFC 7692 allows, declined where nothing else is possible.

use sotong::handshake::HandshakeError;
use sotong::handshake::client::{self, Outcome};
use sotong::handshake::server::{Handshake, Response};
use sotong::{Config, Deflate, ReceiveBuffer, SendBuffer};

use crate::model::script::Choices;
use crate::opening::extension::{Extension, answers, extensions, parameters};
use crate::opening::head::{Asked, accept_value, head, response_faults};

/// Two bytes of settings; then the value. Bytes that no field may have are left out.
pub fn extension(input: &[u8]) {
    let mut choices = Choices(input);
    let (first, second) = (choices.byte(), choices.byte());
    let mut deflate = Deflate::default();
    (deflate.window_bits, deflate.peer_window_bits) = (8 + (first & 7), 8 + (first >> 3 & 7));
    (deflate.context_takeover, deflate.peer_context_takeover) = (second & 1 != 0, second & 2 != 0);
    let mut config = Config::default();
    config.deflate = (second & 4 == 0).then_some(deflate);
    let is_good = |byte: &u8| *byte == b'\t' || !byte.is_ascii_control();
    let value: Vec<u8> = choices.0.iter().copied().filter(is_good).take(8000).collect();
    let value = value.trim_ascii();
    let expected = extensions(value);
    offered(&config, value, expected.as_deref());
    answered(&config, value, expected.as_deref());
}

/// The value as a client's offers.
fn offered(config: &Config, value: &[u8], expected: Option<&[Extension]>) {
    let head = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Extensions: ";
    let mut rx = buffer(&[head, value, b"\r\n\r\n"].concat());
    let request = Handshake::new(config).receive(&mut rx).expect("a head").expect("a whole one");
    let Some(offers) = expected else {
        return assert_eq!(request.upgrade(), Err(HandshakeError::BadExtensions));
    };
    assert_eq!(request.upgrade(), Ok(()));
    let seen: Vec<Extension> = request.extensions().map(owned).collect();
    assert_eq!(seen, offers);

    let mut tx = SendBuffer::new();
    let conn = request.accept(&Response::default(), config, &mut tx).expect("it is valid");
    let answer = String::from_utf8(tx.transmit().slices().concat()).expect("it is ASCII");
    let answer = answer.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Extensions: "));
    let agreed = conn.agreed().deflate;
    assert_eq!(answer.is_some(), agreed.is_some());
    let offers: Vec<_> = offers.iter().filter_map(parameters).collect();
    let Some(settings) = config.deflate else { return assert_eq!(answer, None) };
    let (bits, peer_bits) = (settings.window_bits.max(9), settings.peer_window_bits.max(9));
    // Which offers could be served: 8 bits are more than zlib's compressor keeps to.
    let possible = offers.iter().find(|offer| {
        offer.server_max_window_bits != Some(8)
            && (peer_bits == 15 || !matches!(offer.client_max_window_bits, None | Some(Some(8))))
    });
    let Some((answer, agreed)) = answer.zip(agreed) else {
        return assert_eq!(possible, None, "an offer that could be served was declined");
    };
    let list = extensions(answer.as_bytes()).expect("it follows the grammar");
    assert_eq!(list.len(), 1);
    let answer = parameters(&list[0]).expect("it is an answer");
    let offer = possible.expect("there was something to answer");
    assert!(answers(&answer, offer), "{answer:?} does not answer {offer:?}");
    // What was answered is what was agreed on, and within the settings.
    assert_eq!(agreed.server_max_window_bits, answer.server_max_window_bits.unwrap_or(15));
    assert_eq!(
        agreed.client_max_window_bits,
        answer.client_max_window_bits.flatten().unwrap_or(15)
    );
    assert!(agreed.server_max_window_bits <= bits && agreed.client_max_window_bits <= peer_bits);
    assert_eq!(agreed.server_no_context_takeover, answer.server_no_context_takeover);
    assert_eq!(agreed.client_no_context_takeover, answer.client_no_context_takeover);
    assert!(agreed.server_no_context_takeover || settings.context_takeover);
    assert!(agreed.client_no_context_takeover || settings.peer_context_takeover);
}

/// The value as a server's answer.
fn answered(config: &Config, value: &[u8], expected: Option<&[Extension]>) {
    let mut tx = SendBuffer::new();
    let keys = || Some([0; 4]);
    let request = client::Request::default();
    let started = client::Handshake::start(&request, config, *b"the sample nonce", keys, &mut tx);
    let mut handshake = started.expect("the request is valid");
    let start = format!(
        "HTTP/1.1 101 \r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: {}\r\nSec-WebSocket-Extensions: ",
        accept_value("dGhlIHNhbXBsZSBub25jZQ==")
    );
    let bytes = [start.as_bytes(), value, b"\r\n\r\n"].concat();
    let agreed = handshake.receive(&mut buffer(&bytes)).map(|outcome| match outcome {
        Some(Outcome::Open(conn, _)) => conn.agreed().deflate,
        other => panic!("{other:?}"),
    });
    let deflate = config
        .deflate
        .map(|deflate| (deflate.peer_window_bits.max(9), deflate.peer_context_takeover));
    let asked = Asked { key: "dGhlIHNhbXBsZSBub25jZQ==", subprotocols: &[], deflate };
    let head = head(&bytes, usize::MAX, 10).expect("it is whole").expect("it is a head");
    let faults = response_faults(&head, true, &asked);
    match agreed {
        Err(error) => assert!(faults.contains(&error), "{error:?}, and not one of {faults:?}"),
        Ok(agreed) => {
            assert_eq!(faults, []);
            let answer = expected.and_then(|list| parameters(list.first()?));
            assert_eq!(agreed.is_some(), answer.is_some());
            let Some((agreed, answer)) = agreed.zip(answer) else { return };
            let bits = (agreed.server_max_window_bits, agreed.client_max_window_bits);
            let client_bits = answer.client_max_window_bits.flatten().unwrap_or(15);
            assert_eq!(bits, (answer.server_max_window_bits.unwrap_or(15), client_bits));
            assert_eq!(agreed.server_no_context_takeover, answer.server_no_context_takeover);
            assert_eq!(agreed.client_no_context_takeover, answer.client_no_context_takeover);
        }
    }
}

fn owned(extension: sotong::handshake::Extension<'_>) -> Extension {
    let list = extension.parameters();
    let list = list.map(|(name, value)| (name.to_string(), value.map(|value| value.into_owned())));
    (extension.name.to_string(), list.collect())
}

fn buffer(bytes: &[u8]) -> ReceiveBuffer {
    let mut rx = ReceiveBuffer::with_capacity(16 * 1024);
    assert_eq!(rx.extend(bytes), bytes.len());
    rx
}
