//! Section 10.2: whose pages a server lets in, and section 4.2.2 (4): who is answered with 403.

use sotong::{InvalidOrigin, Origins};

use super::*;

/// What a server with this policy answers to a request with these lines, Host among them.
fn status_of(origins: &Origins, lines: &[&str]) -> u16 {
    let mut config = Config::default();
    config.origins = origins.clone();
    let hosts = lines.iter().any(|line| line.starts_with("Host:"));
    let bytes = if hosts { with("Host", lines) } else { with_more(lines) };
    status(&answer_with(&config, &bytes))
}

fn list(origins: &[&str]) -> Origins {
    Origins::list(origins.iter().copied()).unwrap()
}

#[test]
fn the_default_lets_in_pages_of_the_same_host_and_port() {
    assert_eq!(Config::default().origins, Origins::same());
    // (Host, Origin, status)
    let table = [
        ("chat.example", "https://chat.example", 101),
        ("chat.example", "http://chat.example", 101),
        ("chat.example", "http://chat.example:80", 101),
        ("chat.example", "https://chat.example:443", 101),
        ("chat.example:443", "https://chat.example", 101),
        ("chat.example:80", "http://chat.example", 101),
        ("chat.example:", "http://chat.example", 101),
        ("chat.example:8080", "http://chat.example:8080", 101),
        ("CHAT.example", "HTTPS://chat.EXAMPLE", 101),
        ("[::1]:8080", "http://[::1]:8080", 101),
        ("[::AB]", "http://[::ab]", 101),
        ("127.0.0.1:8080", "http://127.0.0.1:8080", 101),
        // The default port of the other scheme is another port.
        ("chat.example", "https://chat.example:80", 403),
        ("chat.example", "http://chat.example:443", 403),
        ("chat.example:80", "https://chat.example", 403),
        ("chat.example:443", "http://chat.example", 403),
        ("chat.example:8080", "http://chat.example", 403),
        ("chat.example", "http://chat.example:8080", 403),
        ("[::1]", "http://[::2]", 403),
        // It begins, ends or goes on like a friend.
        ("chat.example", "https://evil.example", 403),
        ("chat.example", "https://chat.example.evil.example", 403),
        ("chat.example", "https://evilchat.example", 403),
        ("chat.example", "https://evil.chat.example", 403),
        ("chat.example", "https://chat.exampl", 403),
        ("chat.example", "https://chat.example.", 403),
        ("chat.example", "https://chatxexample", 403),
        ("chat.example:80", "http://chat.example:8080", 403),
        ("chat.example", "https://evil.example/chat.example", 403),
        ("chat.example", "https://evil.example?chat.example", 403),
        ("chat.example", "https://evil.example#https://chat.example", 403),
        ("chat.example", "https://chat.example@evil.example", 403),
        ("chat.example", "https://evil.example:80@chat.example", 403),
        // Not of the web, though the name is the same.
        ("chat.example", "ftp://chat.example", 403),
        ("chat.example", "ws://chat.example", 403),
        ("chat.example", "capacitor://chat.example", 403),
        ("chat.example", "httpss://chat.example", 403),
    ];
    for (host, origin, expected) in table {
        let lines = [format!("Host: {host}"), format!("Origin: {origin}")];
        let lines = [&lines[0][..], &lines[1]];
        assert_eq!(status_of(&Origins::same(), &lines), expected, "{host} {origin}");
    }
}

#[test]
fn an_absolute_target_says_which_host_is_meant() {
    let line = "GET wss://chat.example/x HTTP/1.1";
    for (origin, expected) in [("https://chat.example", 101), ("https://example.com", 403)] {
        let mut lines = REQUEST.to_vec();
        let origin = format!("Origin: {origin}");
        lines[0] = line;
        lines.push(&origin);
        assert_eq!(status(&answer(&head(&lines))), expected, "{origin}");
    }
}

#[test]
fn a_list_lets_in_what_is_in_it_and_nothing_else() {
    let origins = list(&[
        "https://Chat.example",
        "http://chat.example:8080",
        "https://xn--9d0b.example:443",
        "moz-extension://1a2b",
        "http://[::1]",
    ]);
    // (Origin, status)
    let table = [
        ("https://chat.example", 101),
        ("HTTPS://CHAT.EXAMPLE:443", 101),
        ("http://chat.example:8080", 101),
        ("https://xn--9d0b.example", 101),
        ("moz-extension://1a2b", 101),
        ("http://[::1]:80", 101),
        ("http://chat.example", 403), // another scheme
        ("https://chat.example:8080", 403),
        ("https://chat.example:444", 403),
        ("https://www.chat.example", 403),
        ("https://chat.example.evil.example", 403),
        ("https://evil-chat.example", 403),
        ("https://chat.exampl", 403),
        ("moz-extension://1a2b:80", 403),
        ("moz-extension://1a2", 403),
        ("http://example.com", 403), // the server's own host, which is not in the list
    ];
    for (origin, expected) in table {
        let line = format!("Origin: {origin}");
        assert_eq!(status_of(&origins, &[&line]), expected, "{origin}");
    }
    assert_eq!(status_of(&list(&[]), &["Origin: http://example.com"]), 403);
}

/// What is no single origin, however friendly it begins or ends.
const NO_ORIGIN: [&[&str]; 24] = [
    &["Origin: null"],
    &["Origin: NULL"],
    &["Origin:"],
    &["Origin: http://example.com", "Origin: http://example.com"],
    &["Origin: http://example.com", "Origin: https://evil.example"],
    &["Origin: https://evil.example", "Origin: http://example.com"],
    &["Origin: http://example.com", "origin:"],
    &["Origin: http://example.com http://evil.example"],
    &["Origin: http://example.com, http://evil.example"],
    &["Origin: example.com"],
    &["Origin: //example.com"],
    &["Origin: http:example.com"],
    &["Origin: http:/example.com"],
    &["Origin: ://example.com"],
    &["Origin: http://"],
    &["Origin: http://:80"],
    &["Origin: http://example.com/"],
    &["Origin: http://example.com:x"],
    &["Origin: http://example.com:+80"],
    &["Origin: http://example.com:65616"], // 80, if it overflowed
    &["Origin: http://user@example.com"],
    &["Origin: http://[example.com]"],
    &["Origin: http://exam\tple.com"],
    &["Origin: http://example.com소통"],
];

#[test]
fn null_several_and_malformed_origins_are_let_in_by_any_alone() {
    let list = list(&["http://example.com", "http://evil.example"]);
    for lines in NO_ORIGIN {
        for (origins, expected) in [(&Origins::same(), 403), (&list, 403), (&Origins::any(), 101)] {
            assert_eq!(status_of(origins, lines), expected, "{origins:?} {lines:?}");
            assert_eq!(status_of(&origins.clone().required(), lines), expected, "{lines:?}");
        }
    }
}

#[test]
fn programs_that_are_no_browsers_are_let_in_unless_an_origin_is_required() {
    for origins in [Origins::same(), Origins::any(), list(&["http://example.com"])] {
        assert_eq!(status_of(&origins, &[]), 101, "{origins:?}");
        assert_eq!(status_of(&origins.clone().required(), &[]), 403, "{origins:?}");
        let page = ["Origin: http://example.com"];
        assert_eq!(status_of(&origins.required(), &page), 101);
    }
}

#[test]
fn a_field_is_an_origin_by_its_name() {
    // As long as that name is.
    let line = "Accept: https://evil.example";
    assert_eq!(status_of(&Origins::same(), &[line]), 101);
    assert_eq!(status_of(&Origins::same().required(), &[line]), 403);
}

#[test]
fn a_list_takes_origins_and_nothing_else() {
    for bad in [
        "null",
        "*",
        "",
        "chat.example",
        "https://*.chat.example/",
        "https://chat.example/",
        "https://chat.example/path",
        "https://chat.example, https://b.example",
        "https://chat.example https://b.example",
        " https://chat.example",
        "https://chat.example:99999",
        "https://소통.example",
        "https://",
        "1https://chat.example",
    ] {
        let listed = Origins::list(["https://good.example", bad]);
        assert_eq!(listed, Err(InvalidOrigin), "{bad}");
    }
    assert_eq!(list(&["HTTPS://A"]), list(&["https://a:443"]));
}

/// Where a page fetches something, say.
#[test]
fn an_origin_can_be_looked_at_in_a_request_that_is_no_upgrade() {
    // (Host and Origin, whether the same origin is allowed)
    let table: [(&[&str], bool); 5] = [
        (&["Host: chat.example", "Origin: https://chat.example"], true),
        (&["Host: chat.example"], true),
        (&["Host: chat.example", "Origin: https://evil.example"], false),
        (&["Host: chat.example", "Origin: https://chat.example", "Origin: https://b"], false),
        // Nobody is at home at a host that cannot be.
        (&["Host: a/chat.example", "Origin: https://a/chat.example"], false),
    ];
    for (lines, is_allowed) in table {
        let bytes = head(&[&["GET / HTTP/1.1"], lines].concat());
        let request = receive(&Config::default(), &bytes, 1000).unwrap().unwrap();
        assert!(request.upgrade().is_err());
        let expected = if is_allowed { Ok(()) } else { Err(HandshakeError::OriginNotAllowed) };
        assert_eq!(request.check_origin(&Origins::same()), expected, "{lines:?}");
        assert_eq!(request.check_origin(&Origins::any()), Ok(()), "{lines:?}");
    }
}

#[test]
fn an_origin_can_be_looked_at_before_anything_is_decided() {
    let bytes = with_more(&["Origin: https://evil.example"]);
    let request = receive(&Config::default(), &bytes, 1000).unwrap().unwrap();
    assert_eq!(request.upgrade(), Ok(()), "it is a valid request");
    assert_eq!(request.check_origin(&Origins::any()), Ok(()));
    assert_eq!(request.check_origin(&list(&["https://evil.example"])), Ok(()));
    let refused = Err(HandshakeError::OriginNotAllowed);
    assert_eq!(request.check_origin(&Origins::same()), refused);
    let mut tx = SendBuffer::new();
    let accepted = request.accept(&Response::default(), Config::default(), &mut tx).map(drop);
    assert_eq!((accepted, tx.len()), (refused, 0));
    // A page may be looked at from everywhere.
    request.reject(200, &[], b"<p>", &mut tx).unwrap();
    assert!(tx.transmit().slices()[0].starts_with(b"HTTP/1.1 200 OK\r\n"));
}

#[test]
fn an_origin_without_a_host_is_not_that_of_a_request_without_one() {
    for host in ["Host: a b", "Host:", "X: no host"] {
        for origin in ["https://", "http://", "https://a b", ""] {
            let bytes = head(&["GET / HTTP/1.1", host, &format!("Origin: {origin}")]);
            let request = receive(&Config::default(), &bytes, usize::MAX).unwrap().unwrap();
            let refused = Err(HandshakeError::OriginNotAllowed);
            assert_eq!(request.check_origin(&Origins::same()), refused, "{host}, {origin}");
        }
    }
}
