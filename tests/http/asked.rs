//! Which requests a server accepts, and what it answers.

use http::{HeaderMap, Method, Request, Response, Uri, Version};
use sotong::handshake::HandshakeError as E;
use sotong::handshake::server;
use sotong::{Config, Origins, SendBuffer};

use super::*;

const HTTP_1: Version = Version::HTTP_11;
const HTTP_2: Version = Version::HTTP_2;

/// The fields of a head, sorted by name, as lines.
fn lines(fields: &HeaderMap) -> Vec<String> {
    let line = |(name, value): (_, &http::HeaderValue)| {
        format!("{name}: {}", String::from_utf8_lossy(value.as_bytes()))
    };
    let mut lines: Vec<_> = fields.iter().map(line).collect();
    lines.sort_unstable();
    lines
}

fn accept(
    asked: &server::Request,
    response: &server::Response<'_>,
    config: &Config,
) -> Result<(u16, Vec<String>), E> {
    let (answer, _) = asked.accept_http(response, config)?;
    assert_eq!(answer.body(), "");
    Ok((answer.status().as_u16(), lines(answer.headers())))
}

/// Status, body and fields of a refusal.
fn told(refusal: &Response<String>) -> (u16, &str, Vec<String>) {
    (refusal.status().as_u16(), refusal.body(), lines(refusal.headers()))
}

#[test]
fn a_request_is_accepted_in_the_way_of_its_version() {
    for version in VERSIONS {
        let asked = changed(version, |request| set(request, "Origin", &["https://example.com"]));
        assert_eq!((asked.upgrade(), asked.host()), (Ok(()), "example.com"), "{version:?}");
        assert_eq!((asked.path(), asked.query()), ("/chat", Some("room=1")));
        assert_eq!((asked.target(), asked.origin()), ("/chat?room=1", Some("https://example.com")));
        let accepted = accept(&asked, &server::Response::default(), &Config::default()).unwrap();
        let expected = match version {
            HTTP_1 => (
                "GET",
                101,
                vec![
                    "connection: Upgrade",
                    "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
                    "upgrade: websocket",
                ],
            ),
            _ => ("CONNECT", 200, vec![]),
        };
        assert_eq!((asked.method(), accepted.0), (expected.0, expected.1));
        assert_eq!(accepted.1, expected.2, "{version:?}");
    }
}

#[test]
fn the_head_of_a_request_is_read_like_the_whole() {
    for version in VERSIONS {
        let (request, protocol) = valid(version);
        let (head, ()) = request.into_parts();
        assert_eq!(server::Request::from_http(&head, protocol).upgrade(), Ok(()), "{version:?}");
        assert_eq!(head.version, version, "it is lent");
    }
}

#[test]
fn a_request_over_http_2_has_no_answer_in_bytes() {
    let mut tx = SendBuffer::new();
    let asked = changed(HTTP_2, |_| {});
    let refused = asked.accept(&server::Response::default(), Config::default(), &mut tx);
    assert_eq!((refused.unwrap_err(), tx.is_empty()), (E::NotHttp11, true));
}

/// Each row: a field of a request that is accepted else, what is there instead, the verdict over
/// HTTP/1.1, and that over HTTP/2 and HTTP/3.
type Row = (&'static str, &'static [&'static str], Result<(), E>, Result<(), E>);

#[test]
fn fields_are_held_against_the_rules_of_their_version() {
    let table: &[Row] = &[
        ("host", &["example.com"], Ok(()), Ok(())),
        ("host", &["EXAMPLE.com"], Ok(()), Ok(())),
        ("host", &["a", "b"], Err(E::BadHost), Err(E::BadHost)),
        ("host", &["a"], Ok(()), Err(E::BadHost)), // not what `:authority` says
        ("host", &["a/b"], Err(E::BadHost), Err(E::BadHost)),
        ("host", &[], Err(E::BadHost), Ok(())),
        ("upgrade", &[], Err(E::NoUpgrade), Ok(())),
        ("upgrade", &["h2c"], Err(E::NoUpgrade), Err(E::Malformed)),
        ("upgrade", &["websocket"], Ok(()), Err(E::Malformed)),
        ("connection", &[], Err(E::NoConnectionUpgrade), Ok(())),
        ("connection", &["close"], Err(E::NoConnectionUpgrade), Err(E::Malformed)),
        ("connection", &["upgrade"], Ok(()), Err(E::Malformed)),
        ("keep-alive", &["timeout=5"], Ok(()), Err(E::Malformed)),
        ("proxy-connection", &["close"], Ok(()), Err(E::Malformed)),
        ("te", &["trailers"], Ok(()), Ok(())),
        ("sec-websocket-key", &[], Err(E::BadKey), Ok(())),
        ("sec-websocket-key", &["dGhl"], Err(E::BadKey), Ok(())), // "not used"
        ("sec-websocket-version", &[], Err(E::UnsupportedVersion), Err(E::UnsupportedVersion)),
        ("sec-websocket-version", &["8"], Err(E::UnsupportedVersion), Err(E::UnsupportedVersion)),
        ("sec-websocket-version", &["13", "13"], Err(E::RepeatedVersion), Err(E::RepeatedVersion)),
        ("sec-websocket-protocol", &["a, b", "c"], Ok(()), Ok(())),
        ("sec-websocket-protocol", &["a, a"], Err(E::BadSubprotocols), Err(E::BadSubprotocols)),
        ("sec-websocket-protocol", &["a b"], Err(E::BadSubprotocols), Err(E::BadSubprotocols)),
        ("sec-websocket-extensions", &["x; y=z"], Ok(()), Ok(())),
        ("sec-websocket-extensions", &["x;"], Err(E::BadExtensions), Err(E::BadExtensions)),
        ("sec-websocket-extensions", &["é"], Err(E::BadExtensions), Err(E::BadExtensions)),
        ("content-length", &["0"], Ok(()), Ok(())),
        ("content-length", &["5"], Err(E::UnexpectedBody), Err(E::UnexpectedBody)),
        ("transfer-encoding", &["chunked"], Err(E::UnexpectedBody), Err(E::Malformed)),
        ("cookie", &["소통"], Ok(()), Ok(())),
    ];
    for (name, values, over_1, over_2) in table {
        for version in VERSIONS {
            let expected = if version == HTTP_1 { over_1 } else { over_2 };
            let asked = changed(version, |request| set(request, name, values));
            assert_eq!(asked.upgrade(), *expected, "{version:?} {name}: {values:?}");
            let accepted = accept(&asked, &server::Response::default(), &Config::default());
            assert_eq!(accepted.map(|_| ()), *expected);
        }
    }
}

#[test]
fn the_first_line_decides_over_every_version() {
    let whole = "https://example.com/chat";
    let table = [
        (HTTP_1, "GET", "/chat", None, Ok(())),
        (HTTP_1, "GET", "/chat", Some("other"), Ok(())), // there is no such thing
        (HTTP_1, "GET", whole, None, Ok(())),
        (HTTP_1, "GET", "http://u@h/", None, Err(E::BadTarget)),
        (HTTP_1, "GET", "*", None, Err(E::BadTarget)),
        (HTTP_1, "GET", "//x", None, Err(E::BadTarget)),
        (HTTP_1, "POST", "/chat", None, Err(E::MethodNotGet)),
        (HTTP_1, "CONNECT", "example.com:80", None, Err(E::MethodNotGet)),
        (HTTP_1, "CONNECT", "/chat", Some("websocket"), Err(E::MethodNotGet)),
        (Version::HTTP_10, "GET", "/chat", None, Err(E::NotHttp11)),
        (Version::HTTP_09, "GET", "/chat", None, Err(E::Malformed)),
        (HTTP_2, "CONNECT", whole, Some("websocket"), Ok(())),
        (HTTP_2, "CONNECT", whole, Some("WebSocket"), Ok(())), // as the tokens of Upgrade are
        (HTTP_2, "CONNECT", "http://example.com", Some("websocket"), Ok(())),
        (HTTP_2, "CONNECT", whole, None, Err(E::NoProtocol)),
        (HTTP_2, "CONNECT", whole, Some(""), Err(E::NoProtocol)),
        (HTTP_2, "CONNECT", whole, Some("websocket2"), Err(E::NoProtocol)),
        (HTTP_2, "CONNECT", whole, Some("connect-udp"), Err(E::NoProtocol)),
        (HTTP_2, "CONNECT", "example.com:80", None, Err(E::NoProtocol)),
        (HTTP_2, "CONNECT", "example.com:80", Some("websocket"), Err(E::BadTarget)),
        (HTTP_2, "CONNECT", "https://example.com//x", Some("websocket"), Err(E::BadTarget)),
        (HTTP_2, "CONNECT", "https://example.com/소통", Some("websocket"), Err(E::BadTarget)),
        (HTTP_1, "GET", "/소통", None, Err(E::BadTarget)),
        (HTTP_2, "CONNECT", "https://u@example.com/", Some("websocket"), Err(E::BadHost)),
        (HTTP_2, "CONNECT", "/chat", Some("websocket"), Err(E::BadHost)),
        (HTTP_2, "GET", whole, None, Err(E::MethodNotConnect)),
        (HTTP_2, "GET", whole, Some("websocket"), Err(E::MethodNotConnect)),
        (Version::HTTP_3, "CONNECT", whole, Some("websocket"), Ok(())),
        (Version::HTTP_3, "CONNECT", whole, Some("webtransport"), Err(E::NoProtocol)),
        (Version::HTTP_3, "GET", whole, None, Err(E::MethodNotConnect)),
    ];
    for (version, method, uri, protocol, expected) in table {
        let (mut request, _) = valid(version);
        *request.method_mut() = Method::from_bytes(method.as_bytes()).unwrap();
        *request.uri_mut() = Uri::try_from(uri).unwrap();
        let asked = server::Request::from_http(&request, protocol);
        assert_eq!(asked.upgrade(), expected, "{version:?} {method} {uri} {protocol:?}");
    }
    // Host stands for `:authority` where that is missing (RFC 9113, section 8.3.1).
    let (mut request, protocol) = valid(HTTP_2);
    *request.uri_mut() = Uri::from_static("/chat");
    set(&mut request, "host", &["example.com"]);
    assert_eq!(server::Request::from_http(&request, protocol).upgrade(), Ok(()));
}

#[test]
fn each_fault_has_its_status_and_its_fields() {
    let plain = "content-type: text/plain";
    let version_13 = "sec-websocket-version: 13";
    let upgrade = ["connection: Upgrade", plain, version_13, "upgrade: websocket"];
    // (over, error, status, fields)
    let table: [(Version, E, u16, &[&str]); 13] = [
        (HTTP_1, E::NoUpgrade, 426, &upgrade),
        (HTTP_1, E::UnsupportedVersion, 426, &upgrade),
        (HTTP_2, E::UnsupportedVersion, 400, &[plain, version_13]),
        (HTTP_1, E::MethodNotGet, 405, &["allow: GET", plain]),
        (HTTP_2, E::MethodNotConnect, 405, &["allow: CONNECT", plain]),
        (HTTP_2, E::NoProtocol, 501, &[plain]),
        (HTTP_1, E::BadKey, 400, &[plain]),
        (HTTP_2, E::Malformed, 400, &[plain]),
        (HTTP_1, E::OriginNotAllowed, 403, &[plain]),
        (HTTP_2, E::OriginNotAllowed, 403, &[plain]),
        // Faults of ours.
        (HTTP_1, E::ForbiddenSubprotocol, 500, &[]),
        (HTTP_2, E::ForbiddenHeader, 500, &[]),
        (HTTP_2, E::ReservedHeader, 500, &[]),
    ];
    for (version, error, status, fields) in table {
        for long in [1, 5_000] {
            let asked = changed(version, |request| {
                set(request, "cookie", &[&"secret".repeat(long)]);
                set(request, "sec-websocket-version", &["8"]);
            });
            let body = if status == 500 { String::new() } else { format!("{error}\n") };
            let expected = (status, &*body, fields.iter().map(|f| (*f).to_owned()).collect());
            assert_eq!(told(&asked.refuse_http(error)), expected, "{version:?} {error:?}");
        }
    }
}

#[test]
fn pages_of_other_sites_are_refused_over_every_version() {
    let mut listed = Config::default();
    listed.origins = Origins::list(["https://chat.example"]).unwrap();
    let mut required = Config::default();
    required.origins = Origins::same().required();
    let mut any = Config::default();
    any.origins = Origins::any();
    let same = Config::default();
    let table: [(&Config, &[&str], bool); 13] = [
        (&same, &[], true),
        (&same, &["https://example.com"], true),
        (&same, &["http://EXAMPLE.com"], true),
        (&same, &["https://example.com:8443"], false),
        (&same, &["https://chat.example"], false),
        (&same, &["https://example.com.evil.example"], false),
        (&same, &["null"], false),
        (&same, &["https://example.com", "https://example.com"], false),
        (&listed, &["https://chat.example"], true),
        (&listed, &["https://example.com"], false),
        (&required, &[], false),
        (&required, &["https://example.com"], true),
        (&any, &["https://evil.example"], true),
    ];
    for version in VERSIONS {
        for (config, origins, is_allowed) in table {
            let asked = changed(version, |request| {
                set(request, "origin", origins);
                // Who is asked is not for the request's other fields to say.
                set(request, "x-forwarded-host", &["chat.example"]);
                set(request, "forwarded", &["host=chat.example;proto=https"]);
            });
            let expected = if is_allowed { Ok(()) } else { Err(E::OriginNotAllowed) };
            let accepted = accept(&asked, &server::Response::default(), config).map(|_| ());
            assert_eq!(accepted, expected, "{version:?} {origins:?} {:?}", config.origins);
            assert_eq!(asked.check_origin(&config.origins), expected);
        }
    }
}

#[test]
fn the_answer_says_what_the_application_chose() {
    let cookie = [("Set-Cookie", "a=b"), ("set-cookie", "c=소통")];
    let chosen = server::Response { subprotocol: Some("soup"), headers: &cookie };
    for version in VERSIONS {
        let asked =
            changed(version, |request| set(request, "sec-websocket-protocol", &["bowl, soup"]));
        let (_, fields) = accept(&asked, &chosen, &Config::default()).unwrap();
        for expected in ["sec-websocket-protocol: soup", "set-cookie: a=b", "set-cookie: c=소통"]
        {
            assert!(fields.iter().any(|field| field == expected), "{version:?} {fields:?}");
        }
        let endless = "x".repeat(100_000); // more than the types of `http` take
        let table: [(server::Response<'_>, E); 5] = [
            (
                server::Response { subprotocol: None, headers: &[(&endless, "b")] },
                E::ForbiddenHeader,
            ),
            (
                server::Response { subprotocol: Some("spoon"), headers: &[] },
                E::ForbiddenSubprotocol,
            ),
            (
                server::Response { subprotocol: None, headers: &[("A", "b\r\nC: d")] },
                E::ForbiddenHeader,
            ),
            (
                server::Response { subprotocol: None, headers: &[("Upgrade", "a")] },
                E::ReservedHeader,
            ),
            (
                server::Response { subprotocol: None, headers: &[("sec-websocket-x", "a")] },
                E::ReservedHeader,
            ),
        ];
        for (response, error) in table {
            let refused = accept(&asked, &response, &Config::default());
            assert_eq!(refused, Err(error), "{version:?}");
        }
    }
}

#[cfg(feature = "deflate")]
#[test]
fn compression_is_agreed_on_over_every_version() {
    let mut config = Config::default();
    config.deflate = Some(sotong::Deflate::default());
    for version in VERSIONS {
        for (offer, agrees) in [("permessage-deflate", true), ("x-other", false)] {
            let asked =
                changed(version, |request| set(request, "sec-websocket-extensions", &[offer]));
            let response = server::Response::default();
            let (answer, connection) = asked.accept_http(&response, &config).unwrap();
            let says = answer.headers().get("sec-websocket-extensions");
            assert_eq!(says.is_some(), agrees, "{version:?} {offer}");
            assert_eq!(connection.agreed().deflate.is_some(), agrees);
            let (answer, connection) = asked.accept_http(&response, Config::default()).unwrap();
            assert!(!answer.headers().contains_key("sec-websocket-extensions"));
            assert_eq!(connection.agreed().deflate, None);
        }
    }
}

#[test]
fn a_plain_request_can_be_told_and_served_otherwise() {
    for version in VERSIONS {
        let request = Request::get("https://example.com/page?x")
            .version(version)
            .header("host", "example.com");
        let asked = server::Request::from_http(&request.body("").unwrap(), None);
        let error = asked.upgrade().unwrap_err();
        let expected = if version == HTTP_1 { E::NoUpgrade } else { E::MethodNotConnect };
        assert_eq!((asked.path(), asked.query(), error), ("/page", Some("x"), expected));
        assert_eq!(asked.host(), "example.com");
    }
}
