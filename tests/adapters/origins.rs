//! Pages of other sites at the door of both adapters: `accept` alone refuses them.

use std::io::{Read, Write};
use std::net::Shutdown;

use sotong::handshake::HandshakeError;
use sotong::{Config, Error, Origins};

use crate::sockets::{ADAPTERS, REQUEST, serve};

/// What `accept` answers to a page of this origin, and how it ended.
fn ask(
    adapter: crate::sockets::Adapter,
    config: &Config,
    origin: Option<&str>,
) -> (String, Option<HandshakeError>) {
    let (mut peer, server) = serve(adapter, config.clone());
    let (head, _) = REQUEST.split_at(REQUEST.len() - 2);
    peer.write_all(head).unwrap();
    let line = origin.map_or(String::new(), |origin| format!("Origin: {origin}\r\n"));
    peer.write_all(format!("{line}\r\n").as_bytes()).unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    let mut answer = vec![];
    peer.read_to_end(&mut answer).unwrap();
    let error = match server.join().unwrap() {
        Err(Error::Handshake(error)) => Some(error),
        _ => None,
    };
    (String::from_utf8_lossy(&answer).into_owned(), error)
}

#[test]
fn a_page_of_another_site_gets_the_same_403_whatever_it_is() {
    let mut config = Config::default();
    config.origins = Origins::list(["https://chat.example"]).unwrap();
    let refusal = "HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nConnection: close\r\n\
        Content-Length: 53\r\n\r\nthis Origin may not connect (RFC 6455, section 10.2)\n";
    for adapter in ADAPTERS {
        for (config, origin) in [
            (&Config::default(), "https://chat.example"), // the host is `a`
            (&config, "https://chat.example.evil.example"),
            (&config, "null"),
            (&config, "http://a"),
        ] {
            let refused = ask(adapter, config, Some(origin));
            let expected = (refusal.to_owned(), Some(HandshakeError::OriginNotAllowed));
            assert_eq!(refused, expected, "{adapter:?} {origin}");
        }
        for (config, origin) in [
            (&Config::default(), Some("https://a")),
            (&Config::default(), None),
            (&config, Some("https://chat.example:443")),
            (&config, None),
        ] {
            let (answer, error) = ask(adapter, config, origin);
            assert!(answer.starts_with("HTTP/1.1 101 "), "{adapter:?} {origin:?} {answer}");
            assert_eq!(error, None);
        }
    }
}
