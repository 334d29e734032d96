//! What errors say, for people who read logs: each something else, and where the rule stands.

use std::collections::HashSet;
use std::fmt::Display;

use sotong::handshake::HandshakeError;
use sotong::{CloseCode, InvalidOrigin, ProtocolError, SendError, TimedOut};

const PROTOCOL: [(ProtocolError, &str); 22] = [
    (ProtocolError::ReservedBits, "RFC 6455, section 5.2"),
    (ProtocolError::ReservedOpcode, "RFC 6455, section 5.2"),
    (ProtocolError::NotMasked, "RFC 6455, section 5.1"),
    (ProtocolError::Masked, "RFC 6455, section 5.1"),
    (ProtocolError::ControlFragmented, "RFC 6455, section 5.5"),
    (ProtocolError::ControlTooLong, "RFC 6455, section 5.5"),
    (ProtocolError::NothingToContinue, "RFC 6455, section 5.4"),
    (ProtocolError::MessageUnfinished, "RFC 6455, section 5.4"),
    (ProtocolError::LengthNotMinimal, "RFC 6455, section 5.2"),
    (ProtocolError::LengthTooLarge, "RFC 6455, section 5.2"),
    (ProtocolError::FrameTooBig, "RFC 6455, section 10.4"),
    (ProtocolError::MessageTooBig, "RFC 6455, section 10.4"),
    (ProtocolError::TooManyFragments, "RFC 6455, section 10.4"),
    (ProtocolError::InflatesTooMuch, "RFC 6455, section 10.4"),
    (ProtocolError::NotDeflate, "RFC 7692, section 7.2.2"),
    (ProtocolError::DeflateUnfinished, "RFC 7692, section 7.2.1"),
    (ProtocolError::TextNotUtf8, "RFC 6455, section 8.1"),
    (ProtocolError::UnexpectedText, "RFC 6455, section 7.4.1"),
    (ProtocolError::CloseTruncated, "RFC 6455, section 5.5.1"),
    (ProtocolError::CloseCodeForbidden, "RFC 6455, section 7.4"),
    (ProtocolError::ReasonNotUtf8, "RFC 6455, section 8.1"),
    (ProtocolError::UnexpectedEof, "RFC 6455, section 7.1.5"),
];

const SEND: [(SendError, &str); 6] = [
    (SendError::Closing, "RFC 6455, section 5.5.1"),
    (SendError::MessageUnfinished, "RFC 6455, section 5.4"),
    (SendError::ControlTooLong, "RFC 6455, section 5.5"),
    (SendError::CloseCodeForbidden, "RFC 6455, section 7.4"),
    (SendError::QueueFull, ""), // a rule of ours
    (SendError::NoMaskingKey, "RFC 6455, section 10.3"),
];

const TIMED_OUT: [(TimedOut, &str); 4] =
    [(TimedOut::Handshake, ""), (TimedOut::Pong, ""), (TimedOut::Close, ""), (TimedOut::Send, "")];

const HANDSHAKE: [(HandshakeError, &str); 31] = [
    (HandshakeError::Malformed, "RFC 9112"),
    (HandshakeError::HeadTooLarge, ""),
    (HandshakeError::TooManyLines, ""),
    (HandshakeError::TargetTooLong, ""),
    (HandshakeError::BadTarget, "RFC 6455, section 4.2.1"),
    (HandshakeError::MethodNotGet, "RFC 6455, section 4.2.1"),
    (HandshakeError::NotHttp11, "RFC 6455, section 4.2.1"),
    (HandshakeError::MethodNotConnect, "RFC 8441, section 4"),
    (HandshakeError::NoProtocol, "RFC 8441, section 5"),
    (HandshakeError::NotHttp2, "RFC 8441, section 4"),
    (HandshakeError::BadHost, "RFC 6455, section 4.2.1"),
    (HandshakeError::NoUpgrade, "RFC 6455, section 4.2.1"),
    (HandshakeError::NoConnectionUpgrade, "RFC 6455, section 4.2.1"),
    (HandshakeError::UnsupportedVersion, "RFC 6455, section 4.4"),
    (HandshakeError::RepeatedVersion, "RFC 6455, section 11.3.5"),
    (HandshakeError::BadKey, "RFC 6455, section 4.2.1"),
    (HandshakeError::UnexpectedBody, "RFC 9110, section 7.8"),
    (HandshakeError::OriginNotAllowed, "RFC 6455, section 10.2"),
    (HandshakeError::BadSubprotocols, "RFC 6455, section 4.1"),
    (HandshakeError::BadExtensions, "RFC 6455, section 9.1"),
    (HandshakeError::BadAccept, "RFC 6455, section 4.1"),
    (HandshakeError::SubprotocolNotOffered, "RFC 6455, section 4.1"),
    (HandshakeError::ExtensionNotOffered, "RFC 6455, section 4.1"),
    (HandshakeError::BadDeflate, "RFC 7692, section 7.1"),
    (HandshakeError::UnexpectedEof, ""),
    (HandshakeError::ForbiddenHost, ""),
    (HandshakeError::ForbiddenTarget, ""),
    (HandshakeError::ForbiddenSubprotocol, ""),
    (HandshakeError::ForbiddenHeader, ""),
    (HandshakeError::ReservedHeader, ""),
    (HandshakeError::ForbiddenStatus, ""),
];

/// The close code that tells each of [`PROTOCOL`], in its order (RFC 6455, section 7.4.1).
const CODES: [u16; 22] = [
    1002, 1002, 1002, 1002, 1002, 1002, 1002, 1002, 1002, 1002, // frames
    1009, 1009, 1008, 1009, // limits
    1007, 1007, 1007, 1003, // what a message holds
    1002, 1002, 1007, // a Close frame
    1006,
];

/// Asserts that each says something, something else than the others, and names its rule at the end.
fn assert_told<T: Display>(errors: &[(T, &str)]) {
    let mut told = HashSet::new();
    for (error, rule) in errors {
        let text = error.to_string();
        let what = match rule {
            &"" => Some(&text[..]),
            rule => text.strip_suffix(&format!(" ({rule})")),
        };
        assert!(what.is_some_and(|what| what.len() > 10 && !what.contains("RFC")), "{text}");
        assert!(told.insert(text.clone()), "{text}: twice");
    }
}

#[test]
fn every_error_says_what_went_wrong_and_where_the_rule_stands() {
    assert_told(&PROTOCOL);
    assert_told(&SEND);
    assert_told(&TIMED_OUT);
    assert_told(&HANDSHAKE);
    assert_told(&[(InvalidOrigin, "RFC 6454")]);
}

#[cfg(feature = "dial")]
#[test]
fn what_is_no_uri_is_told_with_what_is_wanted() {
    use sotong::dial::{Dialer, InvalidUri, Proxy};

    assert_told(&[
        (InvalidUri::Malformed, "RFC 3986"),
        (InvalidUri::Scheme, "RFC 6455, section 3"),
        (InvalidUri::ProxyScheme, ""),
        (InvalidUri::NeedsRustls, ""),
        (InvalidUri::NeedsSocks, ""),
        (InvalidUri::Fragment, "RFC 6455, section 3"),
        (InvalidUri::Host, ""),
        (InvalidUri::HostNotAscii, ""),
        (InvalidUri::Port, ""),
    ]);
    for (uri, wanted) in
        [("localhost:9001", "wss://"), ("http://a/", "wss://"), ("ws://채팅.kr/", "xn--")]
    {
        let told = Dialer::new(uri).unwrap_err().to_string();
        assert!(told.contains(wanted), "{uri}: {told}");
    }
    let told = Proxy::new("proxy:3128").unwrap_err().to_string();
    assert!(told.contains("http://") && told.contains("socks5://"), "{told}");
}

/// As readers and writers of bytes tell it.
#[cfg(feature = "std")]
#[test]
fn an_error_of_an_adapter_is_an_io_error_of_its_kind_and_its_source() {
    use sotong::Error;
    use std::io::{self, ErrorKind};

    let table: [(Error, ErrorKind); 9] = [
        (ProtocolError::UnexpectedEof.into(), ErrorKind::UnexpectedEof),
        (ProtocolError::Masked.into(), ErrorKind::InvalidData),
        (HandshakeError::UnexpectedEof.into(), ErrorKind::UnexpectedEof),
        (HandshakeError::BadKey.into(), ErrorKind::InvalidData),
        (SendError::Closing.into(), ErrorKind::BrokenPipe),
        (SendError::MessageUnfinished.into(), ErrorKind::InvalidInput),
        (SendError::NoMaskingKey.into(), ErrorKind::InvalidInput),
        (TimedOut::Send.into(), ErrorKind::TimedOut),
        (TimedOut::Pong.into(), ErrorKind::TimedOut),
    ];
    for (error, kind) in table {
        let told = error.to_string();
        let error = io::Error::from(error);
        assert_eq!((error.kind(), error.to_string()), (kind, told));
        assert!(error.downcast::<Error>().is_ok());
    }
    for kind in [ErrorKind::ConnectionReset, ErrorKind::UnexpectedEof] {
        let error = io::Error::from(Error::from(io::Error::new(kind, "as it was")));
        assert_eq!((error.kind(), error.to_string()), (kind, "as it was".into()));
    }
}

#[test]
fn a_program_learns_where_the_rule_stands_as_people_do() {
    let known = |rule: &'static str| Some(rule).filter(|rule| !rule.is_empty());
    for (error, rule) in PROTOCOL {
        assert_eq!(error.section(), rule, "{error:?}");
    }
    for (error, rule) in SEND {
        assert_eq!(error.section(), known(rule), "{error:?}");
    }
    for (error, rule) in HANDSHAKE {
        assert_eq!(error.section(), known(rule), "{error:?}");
    }
}

#[test]
fn every_end_has_its_close_code() {
    for ((error, _), code) in PROTOCOL.into_iter().zip(CODES) {
        assert_eq!(error.close_code(), CloseCode(code), "{error:?}");
    }
    let codes = TIMED_OUT.map(|(error, _)| error.close_code().map(|code| code.0));
    assert_eq!(codes, [None, Some(1006), Some(1006), Some(1006)]);
}

#[cfg(feature = "std")]
#[test]
fn an_error_of_the_adapters_tells_what_the_one_in_it_tells() {
    use sotong::Error;

    let (rule, code) = (Some("RFC 6455, section 8.1"), Some(CloseCode(1007)));
    let table = [
        (Error::from(ProtocolError::TextNotUtf8), rule, code),
        (SendError::Closing.into(), Some("RFC 6455, section 5.5.1"), None),
        (SendError::QueueFull.into(), None, None),
        (HandshakeError::BadKey.into(), Some("RFC 6455, section 4.2.1"), None),
        (TimedOut::Pong.into(), None, Some(CloseCode::ABNORMAL)),
        (TimedOut::Handshake.into(), None, None),
        (std::io::Error::from(std::io::ErrorKind::Other).into(), None, None),
    ];
    for (error, section, code) in table {
        assert_eq!((error.section(), error.close_code()), (section, code), "{error:?}");
    }
}

#[test]
fn a_close_code_is_told_as_its_number() {
    assert_eq!(CloseCode::PROTOCOL_ERROR.to_string(), "1002");
    assert_eq!(format!("{:>6}", CloseCode(4000)), "  4000", "padded as numbers are");
}

/// A connection is printed with its settings; what is compressed, and may be secret, is not.
#[cfg(feature = "deflate")]
#[test]
fn a_connection_that_compresses_can_be_printed_without_what_it_carries() {
    use sotong::{
        Agreed, Config, Connection, Deflate, DeflateParameters, ReceiveBuffer, SendBuffer,
    };

    for window_bits in [9, 15] {
        let mut parameters = DeflateParameters::default();
        parameters.client_max_window_bits = window_bits;
        let (mut agreed, mut config) = (Agreed::default(), Config::default());
        agreed.deflate = Some(parameters);
        let mut deflate = Deflate::default();
        (deflate.context_takeover, deflate.threshold) = (true, 0);
        config.deflate = Some(deflate);
        let mut conn = Connection::server(config, agreed);
        conn.send_text("a secret", &mut SendBuffer::new()).unwrap().queue();
        let mut rx = ReceiveBuffer::with_capacity(512);
        let begun = b"\x41\x85\0\0\0\0\xf2\x48\xcd\xc9\xc9"; // a fragment of "Hello"
        assert_eq!(rx.extend(begun), begun.len());
        assert_eq!(conn.next_event(&mut rx), Ok(None));
        let printed = format!("{conn:?}");
        let inflater = if window_bits == 15 { "Full" } else { "Ring" };
        assert!(printed.contains(&format!("inflater: Some({inflater})")), "{printed}");
        assert!(printed.contains("Compressor { settings: Deflate {"), "{printed}");
        assert!(!printed.contains("secret") && printed.len() < 4000, "{printed}");
    }
}
