//! What a client asks, and which answers open its connection.

use http::uri::Scheme;
use http::{Method, Request, Response, Version};
use sotong::handshake::HandshakeError as E;
use sotong::handshake::accept_value;
use sotong::handshake::client::{self, Outcome};
use sotong::handshake::server;
use sotong::http::Handshake;
use sotong::{Config, Error};

const WANTED: client::Request<'static> = client::Request {
    host: "example.com:8443",
    target: "/chat?room=1",
    origin: Some("https://example.com:8443"),
    subprotocols: &["soup", "bowl"],
    headers: &[("Cookie", "a=b"), ("X", "소통")],
};

fn ask(version: Version, config: &Config) -> (Handshake, Request<String>) {
    match version {
        Version::HTTP_11 => Handshake::upgrade(&WANTED, config).unwrap(),
        _ => {
            let (handshake, mut request) =
                Handshake::connect(&WANTED, Scheme::HTTPS, config).unwrap();
            *request.version_mut() = version;
            (handshake, request)
        }
    }
}

/// The answer that opens, with its fields.
fn opening(request: &Request<String>) -> Response<()> {
    let mut answer = Response::builder().version(request.version());
    if let Some(key) = request.headers().get("sec-websocket-key") {
        let accept = accept_value(key.to_str().unwrap());
        answer = answer.status(101).header("Upgrade", "WebSocket").header("Connection", "upgrade");
        answer = answer.header("Sec-WebSocket-Accept", accept);
    }
    answer.body(()).unwrap()
}

/// Whether it is open, and the status; or what is wrong.
type Verdict = Result<(bool, u16), E>;

fn verdict(handshake: &Handshake, answer: &Response<()>) -> Verdict {
    handshake.receive(answer).map(|outcome| match outcome {
        Outcome::Open(_, response) => (true, response.status()),
        Outcome::Refused(response) => (false, response.status()),
    })
}

#[test]
fn what_is_asked_is_what_a_server_understands() {
    for version in super::VERSIONS {
        let (handshake, request) = ask(version, &Config::default());
        let by_connect = version != Version::HTTP_11;
        let protocol = by_connect.then_some("websocket");
        let asked = server::Request::from_http(&request, protocol);
        assert_eq!(asked.upgrade(), Ok(()), "{request:?}");
        assert_eq!((asked.host(), asked.target()), (WANTED.host, WANTED.target));
        assert_eq!(asked.origin(), WANTED.origin);
        assert!(asked.subprotocols().eq(["soup", "bowl"]));
        assert_eq!(
            (asked.headers().text("cookie"), asked.headers().text("x")),
            (Some("a=b"), Some("소통"))
        );
        let fields = ["host", "upgrade", "connection", "sec-websocket-key"];
        for name in fields {
            assert_eq!(request.headers().contains_key(name), !by_connect, "{version:?} {name}");
        }
        if by_connect {
            assert_eq!(request.method(), Method::CONNECT);
            assert_eq!(request.uri(), "https://example.com:8443/chat?room=1");
        } else {
            assert_eq!(request.uri(), "/chat?room=1");
        }

        let chosen = server::Response { subprotocol: Some("bowl"), headers: &[("A", "b")] };
        let (mut answer, _) = asked.accept_http(&chosen, Config::default()).unwrap();
        *answer.version_mut() = version; // as the stack has it
        match handshake.receive(&answer).unwrap() {
            Outcome::Open(_, response) => {
                assert_eq!(response.subprotocol(), Some("bowl"), "{version:?}");
                assert_eq!(response.headers().text("a"), Some("b"));
            }
            Outcome::Refused(response) => panic!("{response:?}"),
        }
    }
}

#[test]
fn keys_are_never_the_same() {
    let key = || {
        let (_, request) = ask(Version::HTTP_11, &Config::default());
        request.headers()["sec-websocket-key"].clone()
    };
    assert_ne!(key(), key());
}

/// What is different in an answer that opens, and what comes of it.
type Row = (fn(&mut Response<()>), Verdict);

fn set(answer: &mut Response<()>, name: &'static str, value: &'static str) {
    answer.headers_mut().insert(name, value.parse().unwrap());
}

#[test]
fn the_answer_to_an_upgrade_is_validated() {
    let table: [Row; 15] = [
        (|_| {}, Ok((true, 101))),
        (|a| set(a, "sec-websocket-protocol", "bowl"), Ok((true, 101))),
        (|a| *a.status_mut() = 200.try_into().unwrap(), Ok((false, 200))),
        (|a| *a.status_mut() = 302.try_into().unwrap(), Ok((false, 302))),
        (|a| *a.status_mut() = 403.try_into().unwrap(), Ok((false, 403))),
        (|a| set(a, "sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), Err(E::BadAccept)),
        (|a| drop(a.headers_mut().remove("sec-websocket-accept")), Err(E::BadAccept)),
        (|a| drop(a.headers_mut().remove("upgrade")), Err(E::NoUpgrade)),
        (|a| drop(a.headers_mut().remove("connection")), Err(E::NoConnectionUpgrade)),
        (|a| set(a, "sec-websocket-protocol", "spoon"), Err(E::SubprotocolNotOffered)),
        (|a| set(a, "sec-websocket-protocol", "soup, bowl"), Err(E::SubprotocolNotOffered)),
        (|a| set(a, "sec-websocket-extensions", "x"), Err(E::ExtensionNotOffered)),
        (|a| set(a, "content-length", "5"), Err(E::UnexpectedBody)),
        (|a| *a.version_mut() = Version::HTTP_10, Err(E::NotHttp11)),
        (|a| *a.version_mut() = Version::HTTP_09, Err(E::Malformed)),
    ];
    for (i, (change, expected)) in table.into_iter().enumerate() {
        let (handshake, request) = ask(Version::HTTP_11, &Config::default());
        let mut answer = opening(&request);
        change(&mut answer);
        assert_eq!(verdict(&handshake, &answer), expected, "{i}: {answer:?}");
    }
}

#[test]
fn the_answer_to_a_connect_is_validated() {
    let table: [Row; 12] = [
        (|_| {}, Ok((true, 200))),
        (|a| *a.status_mut() = 201.try_into().unwrap(), Ok((true, 201))),
        (|a| *a.status_mut() = 299.try_into().unwrap(), Ok((true, 299))),
        (|a| *a.status_mut() = 101.try_into().unwrap(), Ok((false, 101))),
        (|a| *a.status_mut() = 300.try_into().unwrap(), Ok((false, 300))),
        (|a| *a.status_mut() = 501.try_into().unwrap(), Ok((false, 501))),
        (|a| set(a, "sec-websocket-protocol", "soup"), Ok((true, 200))),
        (|a| set(a, "sec-websocket-protocol", "spoon"), Err(E::SubprotocolNotOffered)),
        (|a| set(a, "sec-websocket-extensions", "permessage-deflate"), Err(E::ExtensionNotOffered)),
        // "A client MUST ignore any Content-Length" (RFC 9110, section 9.3.6), and what has no use
        // here.
        (|a| set(a, "content-length", "5"), Ok((true, 200))),
        (|a| set(a, "sec-websocket-accept", "x"), Ok((true, 200))),
        // What tunnels bytes need not know what a WebSocket is.
        (|a| *a.version_mut() = Version::HTTP_11, Err(E::NotHttp2)),
    ];
    for version in [Version::HTTP_2, Version::HTTP_3] {
        for (i, (change, expected)) in table.into_iter().enumerate() {
            let (handshake, request) = ask(version, &Config::default());
            let mut answer = opening(&request);
            change(&mut answer);
            assert_eq!(verdict(&handshake, &answer), expected, "{i}: {answer:?}");
        }
    }
}

#[cfg(feature = "deflate")]
#[test]
fn compression_is_offered_and_agreed_on() {
    let mut config = Config::default();
    config.deflate = Some(sotong::Deflate::default());
    for version in super::VERSIONS {
        let (handshake, request) = ask(version, &config);
        let protocol = (version != Version::HTTP_11).then_some("websocket");
        let asked = server::Request::from_http(&request, protocol);
        let (mut answer, server) =
            asked.accept_http(&server::Response::default(), &config).unwrap();
        *answer.version_mut() = version;
        let Ok(Outcome::Open(client, _)) = handshake.receive(&answer) else {
            panic!("{version:?}: {answer:?}");
        };
        assert!(client.agreed().deflate.is_some());
        assert_eq!(client.agreed(), server.agreed());
    }
}

#[test]
fn what_must_not_be_sent_is_not() {
    let ok = client::Request::default();
    let endless = "x".repeat(100_000); // more than the types of `http` take
    let table = [
        (client::Request { host: "a b", ..ok }, E::ForbiddenHost),
        (client::Request { host: "u@a", ..ok }, E::ForbiddenHost),
        (client::Request { target: "chat", ..ok }, E::ForbiddenTarget),
        (client::Request { target: "/a b", ..ok }, E::ForbiddenTarget),
        (client::Request { subprotocols: &["a", "a"], ..ok }, E::ForbiddenSubprotocol),
        (client::Request { headers: &[("A", "b\r\nC: d")], ..ok }, E::ForbiddenHeader),
        (client::Request { headers: &[("Host", "b")], ..ok }, E::ReservedHeader),
        (client::Request { headers: &[(&endless, "b")], ..ok }, E::ForbiddenHeader),
    ];
    for (request, error) in table {
        let upgrade = Handshake::upgrade(&request, Config::default());
        let connect = Handshake::connect(&request, Scheme::HTTP, Config::default());
        for refused in [upgrade, connect] {
            let Err(Error::Handshake(refused)) = refused else { panic!("{request:?}") };
            assert_eq!(refused, error, "{request:?}");
        }
    }
}
