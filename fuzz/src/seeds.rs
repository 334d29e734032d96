//! The seed corpus, as tables of literal bytes with names; `examples/seeds.rs` writes it.

mod adapters;

use sotong::Role;

use crate::common::frame;

/// All seeds: the target, the name, the input.
pub fn seeds() -> Vec<(&'static str, String, Vec<u8>)> {
    let mut seeds = vec![];
    for (name, settings, frames) in STREAMS {
        for (target, role) in [("server", Role::Server), ("client", Role::Client)] {
            let key = (role == Role::Server).then_some([0; 4]);
            let wire = frames.iter().flat_map(|(first, payload)| frame(*first, key, payload));
            let header = [settings[0], settings[1], 7, 0];
            seeds.push((target, name.to_string(), header.into_iter().chain(wire).collect()));
        }
        let script = frames
            .iter()
            .flat_map(|(first, payload)| [&[0x80, *first, payload.len() as u8], *payload].concat());
        let header = [settings[0], settings[1], 3, 9, 0x42, 0, 0, 0, 0, 0];
        seeds.push(("adapters", name.to_string(), header.into_iter().chain(script).collect()));
    }
    for (name, header) in HEADERS {
        seeds.push(("server", name.to_string(), [&[0, 0, 1, 0][..], header].concat()));
        let unmasked = [header[0], header[1] & 0x7f];
        seeds.push((
            "client",
            name.to_string(),
            [&[0, 0, 1, 0][..], &unmasked, &header[2..]].concat(),
        ));
    }
    // 131,072 octets are announced, and as many come as fill the smallest buffer.
    for (target, mask, key) in [("server", 0xff, &[0; 4][..]), ("client", 0x7f, &[])] {
        let header = [&[0, 0, 1, 0, 0x82, mask, 0, 0, 0, 0, 0, 2, 0, 0][..], key].concat();
        let input = [&header[..], &[7; 1000]].concat();
        seeds.push((target, "announces-much".to_string(), input));
    }
    for (name, script) in SCRIPTS {
        for target in ["server", "client"] {
            seeds.push((target, name.to_string(), [&[0xf8, 3, 5, 1][..], script].concat()));
        }
        seeds.push((
            "adapters",
            name.to_string(),
            [&[0xf8, 3, 5, 2, 0x73, 0x2c, 0, 0, 0, 0][..], script].concat(),
        ));
    }
    // Two fragments of 65,025 octets each, compressed, where hardly any inflation is allowed.
    let part = |kind| [&[kind, 0x80, 255][..], &[b'a'; 255], &[255]].concat();
    for target in ["server", "client"] {
        let input = [&[0xfb, 3, 5, 1][..], &part(0x09), &part(0x19)].concat();
        seeds.push((target, "inflates-too-much".to_string(), input));
    }
    for (name, len) in [("as-large-as-allowed", 125), ("larger-than-allowed", 126)] {
        let message = [&[6, 0, len][..], &[b'a'; 126][..usize::from(len)]].concat();
        seeds.push(("server", name.to_string(), [&[0xfa, 3, 5, 1][..], &message].concat()));
    }
    // 600 octets, stored, and three of them again, from where they begin; 10 bits reach so far.
    let far = [&b"\x00\x58\x02\xa7\xfd"[..], &[b'a'; 600], b"\x02\xa6\x2b\x00\x00"].concat();
    for (name, rules) in [("far", 0x58), ("too-far", 0x38)] {
        let input = [&[rules, 1, 6, 0xff][..], &far].concat();
        seeds.push(("inflate", name.to_string(), input));
    }
    for (name, payload) in DEFLATE {
        for (window, rules) in [("15-bits", 0xf8), ("9-bits", 0x38), ("no-context", 0xe8)] {
            let frame = [&[rules, 1, 6, 0xff][..], payload].concat();
            seeds.push(("inflate", format!("{name}-{window}"), frame));
        }
    }
    let table = |target, table: &[(&str, &[u8])]| {
        let named =
            table.iter().map(move |(name, input)| (target, name.to_string(), input.to_vec()));
        named.collect::<Vec<_>>()
    };
    seeds.extend(adapters::seeds());
    seeds.extend(table("pair", PAIRS));
    seeds.extend(table("extension", EXTENSIONS));
    for (name, base, lines) in REQUESTS {
        let base = if base == Base::Valid { VALID } else { "" };
        let head = [&[3, 0x80], REQUEST, base.as_bytes(), lines.as_bytes(), b"\r\n"].concat();
        seeds.push(("handshake_server", name.to_string(), head));
    }
    for (name, base, lines) in RESPONSES {
        let base = match base {
            Base::Bare => String::new(),
            Base::Valid => OPEN.to_string(),
            Base::Interim => [INTERIM, OPEN].concat(),
        };
        let input = [&[3, 0xd8], base.as_bytes(), lines.as_bytes()].concat();
        seeds.push(("handshake_client", name.to_string(), input));
    }
    seeds
}

/// The rules, the frames.
type Stream = (&'static str, [u8; 2], &'static [(u8, &'static [u8])]);

const STREAMS: [Stream; 21] = [
    ("hello", [0, 0], &[(0x81, b"Hello"), (0x82, b"\x00\xff"), (0x88, b"\x03\xe8bye")]),
    ("ping-within-a-message", [0, 0], &[(0x01, b"Hel"), (0x89, b"?"), (0x80, b"lo")]),
    ("character-over-fragments", [0, 0], &[(0x01, b"\xec\x86"), (0x8a, b""), (0x80, b"\x8c")]),
    ("surrogate", [0, 0], &[(0x81, b"\xed\xa0\x80")]),
    ("text-wrong-in-its-second-fragment", [0, 0], &[(0x01, b"\xf4"), (0x80, b"\x90")]),
    ("text-cut-off", [0, 0], &[(0x81, b"\xe2\x82")]),
    ("empty-close", [0, 0], &[(0x88, b""), (0x81, b"late")]),
    ("half-a-close-code", [0, 0], &[(0x88, b"\x03")]),
    ("forbidden-close-code", [0, 0], &[(0x88, b"\x03\xed")]),
    ("private-close-code", [0, 0], &[(0x88, b"\x0f\xa0\xec\x86\x8c")]),
    ("close-reason-not-text", [0, 0], &[(0x88, b"\x03\xe8\xc3\x28")]),
    ("behind-our-close", [4, 0], &[(0x89, b"?"), (0x81, b"late"), (0x88, b"\x03\xe8")]),
    ("nothing-to-continue", [0, 0], &[(0x80, b"a")]),
    ("message-within-a-message", [0, 0], &[(0x01, b"a"), (0x81, b"b")]),
    ("too-many-fragments", [1, 0], &[(0x02, b""), (0, b""), (0, b""), (0, b""), (0, b"")]),
    ("too-big-in-fragments", [2, 0], &[(0x02, &[7; 100]), (0x80, &[7; 26])]),
    ("rsv1-not-agreed", [0, 0], &[(0xc1, b"\xf2\x48\xcd\xc9\xc9\x07\x00")]),
    ("rsv1-on-a-continuation", [0xf8, 0], &[(0x41, b"\xf2\x48"), (0xc0, b"\xcd\xc9\xc9\x07\x00")]),
    (
        "compressed-with-context",
        [0xf8, 0],
        &[(0xc1, b"\xf2\x48\xcd\xc9\xc9\x07\x00"), (0xc1, b"\xf2\x00\x11\x00\x00")],
    ),
    (
        "compressed-against-no-context",
        [0xe8, 0],
        &[(0xc1, b"\xf2\x48\xcd\xc9\xc9\x07\x00"), (0xc1, b"\xf2\x00\x11\x00\x00")],
    ),
    (
        "compressed-in-fragments",
        [0x28, 0],
        &[(0x41, b"\xf2\x48"), (0x89, b"?"), (0x80, b"\xcd\xc9\xc9\x07\x00")],
    ),
];

/// First two bytes and what follows them, as they go to a server.
const HEADERS: [(&str, &[u8]); 9] = [
    ("length-126-not-minimal", b"\x82\xfe\0\x7d"),
    ("length-127-not-minimal", b"\x82\xff\0\0\0\0\0\0\xff\xff"),
    ("length-2-63", b"\x82\xff\x80\0\0\0\0\0\0\0"),
    ("length-2-63-less-1", b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0"),
    ("length-65535", b"\x82\xfe\xff\xff\0\0\0\0"),
    ("reserved-opcode", b"\x83\x80"),
    ("long-ping", b"\x89\xfe\0\x7e"),
    ("fragmented-ping", b"\x09\x80"),
    ("rsv3", b"\x91\x80"),
];

/// Steps of a script, for rules with compression.
const SCRIPTS: [(&str, &[u8]); 4] = [
    ("sent-compressed-twice", b"\x06\x81\x05Hello\x40\x06\x01\x05Hello\x13\x05"),
    ("sent-in-fragments", b"\x09\x01\x02He\x0f\x19\x01\x03llo\x00\x88\x02\x03\xe8"),
    ("sent-and-flipped", b"\x06\x00\x08abcdabcd\x0d\x03\x02\x06\x00\x01a"),
    ("long-then-cut", b"\x05\x82\xf0\x08sotong!!\x0e\x20\x04\x80\x01a"),
];

/// Payloads of one compressed message.
const DEFLATE: [(&str, &[u8]); 15] = [
    ("hello", b"\xf2\x48\xcd\xc9\xc9\x07\x00"),
    ("stored", b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"),
    ("final-block", b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00"),
    ("final-block-alone", b"\xf3\x48\xcd\xc9\xc9\x07\x00"),
    ("final-block-and-rubbish", b"\xf3\x48\xcd\xc9\xc9\x07\x00\xde\xad\xbe\xef"),
    ("two-blocks", b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"),
    ("two-final-blocks", b"\x01\x02\x00\xfd\xffHe\x01\x03\x00\xfc\xffllo"),
    ("nothing", b""),
    ("empty", b"\x00"),
    ("cut-off", b"\xf2\x48\xcd"),
    ("with-its-tail", b"\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff"),
    ("block-type-3", b"\x06"),
    ("length-without-complement", b"\x00\x05\x00\x00\x00Hello\x00"),
    ("distance-before-the-start", b"\x02\x02\x00"),
    (
        "dynamic",
        b"\x44\x8d\x31\x0e\x80\x30\x0c\x03\xf7\xbe\xc2\x1f\x60\xe0\x0d\x8c\xfc\x20\x94\x50\x2a\x41\
        \x53\x35\xe9\xff\xa1\x45\x82\xc9\xf6\x0d\xe7\x99\x3a\x67\x41\x25\x3d\x6e\x03\x32\x00",
    ),
];

const PAIRS: &[(&str, &[u8])] = &[
    ("hello", b"\x02\x00\x00\x01\x01\x05Hello\x08\xff\xff\x8d\x00"),
    (
        "fragments-and-pings",
        b"\x02\x00\x03\x01\x00\x03Hel\x05\x01?\x03\x01\x01\x02lo\x8d\x81\x00\x05\x01!",
    ),
    (
        "little-at-a-time",
        b"\x03\x00\x00\x81\x03\x05Hello\x20\x08\x05\x01\x8a\x03\x9a\x02\x08\x30\x01\x8b\x10",
    ),
    (
        "compressed-both-ways",
        b"\x82\x06\x00\x83\x01\x05Hello\x20\x80\x83\x01\x05Hello\x20\x0d\x8d\x00\x03\x01\x05Hello",
    ),
    (
        "no-context",
        b"\xe2\x11\x00\x83\x01\x05Hello\x20\x00\x03\x01\x05Hello\x8d\x07\x83\x00\x05Hello\x10",
    ),
    ("both-close", b"\x02\x00\x0f\x00\x00\x8f\x02\x01\x00\x01\x00\x01a\x8d\x0d"),
    ("a-full-queue", b"\x00\x00\x00\x00\x00\x01a\x00\x00\x00\x01b\x85\x01?\x88\xff\xff\x0d\x0e"),
];

const EXTENSIONS: &[(&str, &[u8])] = &[
    ("plain", b"\x3f\x03permessage-deflate"),
    ("all-parameters", b"\x3f\x03permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10; client_max_window_bits=12"),
    ("quoted", b"\x12\x03permessage-deflate; server_max_window_bits=\"1\\0\""),
    ("two-offers", b"\x12\x00permessage-deflate; x, permessage-deflate; client_max_window_bits"),
    ("eight-bits", b"\x12\x03permessage-deflate; server_max_window_bits=8, permessage-deflate; client_max_window_bits=8"),
    ("repeated", b"\x3f\x03permessage-deflate; client_max_window_bits; client_max_window_bits=9"),
    ("leading-zero", b"\x3f\x03permessage-deflate; server_max_window_bits=09"),
    ("others", b"\x3f\x03, mux; max-channels=4; flow-control,, deflate-stream"),
    ("tabs", b"\x3f\x03mux,\tpermessage-deflate\t;\tclient_max_window_bits"),
    ("unclosed", b"\x3f\x03a; b=\"\\c\\c\\c"),
    ("empty", b"\x3f\x03"),
    ("not-ascii", b"\x3f\x03permessage-deflate; \xc3\xa9"),
];

const REQUEST: &[u8] = b"GET /chat?room=1 HTTP/1.1\r\nHost: example.com:8080\r\n";

/// The rest of what a valid request has, and of what a valid response has.
const VALID: &str = "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
const INTERIM: &str = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
const OPEN: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n";

/// What stands before the lines.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Base {
    Bare,
    Valid,
    Interim,
}

const REQUESTS: [(&str, Base, &str); 19] = [
    ("valid", Base::Valid, ""),
    (
        "valid-and-more",
        Base::Valid,
        "Origin: http://example.com\r\nCookie: a=b\r\nSec-WebSocket-Protocol: chat, superchat\r\n",
    ),
    (
        "with-extensions",
        Base::Valid,
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n",
    ),
    ("same-origin", Base::Valid, "Origin: HTTP://Example.com:8080\r\n"),
    ("origin-with-a-port", Base::Valid, "Origin: https://example.com:443\r\n"),
    ("origin-null", Base::Valid, "Origin: null\r\n"),
    ("origin-like-a-friend", Base::Valid, "Origin: http://example.com.evil.example\r\n"),
    ("two-origins", Base::Valid, "Origin: http://example.com\r\nOrigin: http://example.com\r\n"),
    ("origin-of-an-address", Base::Valid, "Origin: moz-extension://[::1]:1\r\n"),
    ("bad-extensions", Base::Valid, "Sec-WebSocket-Extensions: a; b=\"\r\n"),
    ("same-subprotocol-twice", Base::Valid, "Sec-WebSocket-Protocol: a, a\r\n"),
    ("with-a-body", Base::Valid, "Content-Length: 5\r\n"),
    ("two-keys", Base::Valid, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"),
    ("two-hosts", Base::Valid, "Host: b\r\n"),
    ("no-upgrade", Base::Bare, "Connection: keep-alive\r\n"),
    ("bare-feed", Base::Bare, "Upgrade: websocket\nConnection: Upgrade\r\n"),
    ("folded", Base::Bare, "X: a\r\n b\r\n"),
    ("space-before-colon", Base::Bare, "Upgrade : websocket\r\n"),
    (
        "nine-lines",
        Base::Bare,
        "a: b\r\na: b\r\na: b\r\na: b\r\na: b\r\na: b\r\na: b\r\na: b\r\na: b\r\n",
    ),
];

const RESPONSES: [(&str, Base, &str); 11] = [
    ("valid", Base::Valid, "\r\n"),
    ("valid-and-a-frame", Base::Valid, "\r\n\u{1}\u{1}a"),
    ("with-a-subprotocol", Base::Valid, "Sec-WebSocket-Protocol: chat\r\n\r\n"),
    ("subprotocol-not-offered", Base::Valid, "Sec-WebSocket-Protocol: other\r\n\r\n"),
    (
        "with-deflate",
        Base::Valid,
        "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_max_window_bits=10\r\n\r\n",
    ),
    ("two-accepts", Base::Valid, "Sec-WebSocket-Accept: {accept}\r\n\r\n"),
    ("early-hints", Base::Interim, "\r\n"),
    (
        "wrong-accept",
        Base::Bare,
        "HTTP/1.1 101 \r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK-xOo=\r\n\r\n",
    ),
    ("refusal", Base::Bare, "HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\nno,no"),
    (
        "refusal-in-chunks",
        Base::Bare,
        "HTTP/1.1 401 Unauthorized\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nno,no\r\n0\r\n\r\n",
    ),
    ("refusal-without-length", Base::Bare, "HTTP/1.0 500 \r\n\r\noh"),
];
