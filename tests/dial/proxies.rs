//! HTTP CONNECT and SOCKS 5.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, channel};

use sotong::dial::{Dialer, Proxy, Reconnect, Stage};
use sotong::handshake::HandshakeError;
use sotong::{Error, TimedOut};

use crate::servers::{answering, echo, listen, read_head, silent, splice};
use crate::{ADAPTERS, patient};

/// An HTTP proxy that knows one host, and the heads that it gets.
fn http(server: SocketAddr) -> (SocketAddr, Receiver<Vec<String>>) {
    let (tell, told) = channel();
    let address = listen(move |mut stream| {
        tell.send(read_head(&mut stream)).ok();
        stream.write_all(b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n").unwrap();
        splice(stream, TcpStream::connect(server).unwrap());
    });
    (address, told)
}

/// What a SOCKS proxy is asked.
#[derive(Debug, PartialEq)]
struct Asked {
    user: Option<(String, String)>,
    host: String,
    port: u16,
}

/// A SOCKS 5 proxy (RFC 1928, RFC 1929) that knows one host.
fn socks(server: SocketAddr, with_password: bool) -> (SocketAddr, Receiver<Asked>) {
    let (tell, told) = channel();
    let address = listen(move |mut stream| {
        let take = |stream: &mut TcpStream, n: u8| {
            let mut bytes = vec![0; n.into()];
            stream.read_exact(&mut bytes).unwrap();
            bytes
        };
        let text = |stream: &mut TcpStream| {
            let len = take(stream, 1)[0];
            String::from_utf8(take(stream, len)).unwrap()
        };
        assert_eq!(take(&mut stream, 1), [5]);
        let methods = take(&mut stream, 1)[0];
        let methods = take(&mut stream, methods);
        let method = if with_password { 2 } else { 0 };
        if !methods.contains(&method) {
            return stream.write_all(&[5, 0xff]).unwrap();
        }
        stream.write_all(&[5, method]).unwrap();
        let user = with_password.then(|| {
            assert_eq!(take(&mut stream, 1), [1]);
            (text(&mut stream), text(&mut stream))
        });
        if with_password {
            stream.write_all(&[1, 0]).unwrap();
        }
        assert_eq!(take(&mut stream, 4), [5, 1, 0, 3], "connect to a name");
        let host = text(&mut stream);
        let port = take(&mut stream, 2);
        let port = u16::from_be_bytes([port[0], port[1]]);
        tell.send(Asked { user, host, port }).unwrap();
        stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).unwrap();
        splice(stream, TcpStream::connect(server).unwrap());
    });
    (address, told)
}

#[test]
fn a_way_leads_through_an_http_proxy_that_looks_up_the_host() {
    for adapter in ADAPTERS {
        let (server, requests) = echo();
        let (proxy, heads) = http(server);
        // Nobody else knows this name.
        let dialer = Dialer::new("ws://name.invalid:8000/x").unwrap();
        let proxied = dialer.proxy(Proxy::new(&format!("http://{proxy}")).unwrap());
        adapter.echo(&proxied).unwrap();
        let expected = ["CONNECT name.invalid:8000 HTTP/1.1", "Host: name.invalid:8000"];
        assert_eq!(heads.recv().unwrap(), expected);
        let request = requests.recv().unwrap();
        assert!(request.contains(&"Host: name.invalid:8000".into()), "{request:?}");

        let proxy = Proxy::new(&format!("http://me:se%3Acret@{proxy}")).unwrap();
        adapter.echo(&proxied.proxy(proxy)).unwrap();
        let credentials = "Proxy-Authorization: Basic bWU6c2U6Y3JldA==";
        assert_eq!(heads.recv().unwrap()[2], credentials);
        let request = requests.recv().unwrap();
        assert!(
            !request.iter().any(|line| line.contains("bWU6")),
            "the proxy's alone: {request:?}"
        );
    }
}

#[test]
fn a_way_leads_through_a_socks_proxy_that_looks_up_the_host() {
    for adapter in ADAPTERS {
        let (server, _requests) = echo();
        let dialer = Dialer::new("ws://name.invalid/").unwrap();
        let (proxy, asked) = socks(server, false);
        let proxied = dialer.clone().proxy(Proxy::new(&format!("socks5://{proxy}")).unwrap());
        adapter.echo(&proxied).unwrap();
        let host = String::from("name.invalid");
        assert_eq!(asked.recv().unwrap(), Asked { user: None, host: host.clone(), port: 80 });

        let (proxy, asked) = socks(server, true);
        let proxy = Proxy::new(&format!("socks5h://me:se%3Acret@{proxy}")).unwrap();
        adapter.echo(&dialer.proxy(proxy)).unwrap();
        let user = Some(("me".into(), "se:cret".into()));
        assert_eq!(asked.recv().unwrap(), Asked { user, host, port: 80 });
    }
}

#[test]
fn a_proxy_that_refuses_says_why() {
    for adapter in ADAPTERS {
        let proxy = answering("HTTP/1.1 407 \r\nProxy-Authenticate: Basic\r\n\r\n");
        let dialer = Dialer::new("ws://name.invalid/").unwrap();
        let error =
            adapter.fail(&dialer.clone().proxy(Proxy::new(&format!("http://{proxy}")).unwrap()));
        assert_eq!(error.stage(), Stage::Proxy);
        let refusal = error.refusal().expect("an answer");
        assert_eq!(refusal.status(), 407);
        assert_eq!(refusal.headers().text("proxy-authenticate"), Some("Basic"));
        assert_eq!(error.to_string(), "asking the proxy: the proxy refused with status 407");

        let (proxy, _) = socks(proxy, true);
        let error = adapter.fail(&dialer.proxy(Proxy::new(&format!("socks5://{proxy}")).unwrap()));
        assert_eq!(error.stage(), Stage::Proxy);
        assert!(matches!(error.error(), Error::Io(_)), "{error:?}");
    }
}

#[test]
fn what_a_socks_proxy_refuses_for_good_is_not_asked_for_again() {
    const PASSWORD: &str = "socks5://me:secret@";
    const CASES: [(&str, &[&[u8]], ErrorKind, bool); 6] = [
        ("socks5://", &[&[5, 0xff]], ErrorKind::PermissionDenied, false), // no method will do
        (PASSWORD, &[&[5, 2], &[1, 1]], ErrorKind::PermissionDenied, false),
        (PASSWORD, &[&[5, 0], &reply(2)], ErrorKind::PermissionDenied, false), // by its rules
        (PASSWORD, &[&[5, 0], &reply(8)], ErrorKind::Unsupported, false), // it looks up no names
        ("socks5://:secret@", &[], ErrorKind::InvalidInput, false),
        (PASSWORD, &[&[5, 0], &reply(4)], ErrorKind::Other, true), // the host is not reached
    ];
    for adapter in ADAPTERS {
        for (scheme, answers, kind, is_tried_again) in CASES {
            let proxy = listen(move |mut stream| {
                for answer in answers {
                    assert!(stream.read(&mut [0; 1000]).unwrap_or(0) < 1000);
                    stream.write_all(answer).ok();
                }
                std::io::copy(&mut stream, &mut std::io::sink()).ok();
            });
            let proxy = Proxy::new(&format!("{scheme}{proxy}")).unwrap();
            let error = adapter.fail(&Dialer::new("ws://name.invalid/").unwrap().proxy(proxy));
            assert_eq!(error.stage(), Stage::Proxy);
            let is_it = matches!(error.error(), Error::Io(error) if error.kind() == kind);
            assert!(is_it, "{adapter:?} {kind}: {error:?}");
            let pause = Reconnect::default().after_failure(&error);
            assert_eq!(pause.is_some(), is_tried_again, "{error}");
        }
    }
}

/// How a SOCKS proxy answers a request (RFC 1928, section 6).
const fn reply(code: u8) -> [u8; 10] {
    [5, code, 0, 1, 0, 0, 0, 0, 0, 0]
}

#[test]
fn a_proxy_that_says_nothing_is_waited_for_until_the_deadline() {
    for adapter in ADAPTERS {
        for scheme in ["http", "socks5"] {
            let proxy = Proxy::new(&format!("{scheme}://{}", silent())).unwrap();
            let dialer = Dialer::new("ws://name.invalid/").unwrap().config(patient(200));
            let error = adapter.fail(&dialer.proxy(proxy));
            assert_eq!(error.stage(), Stage::Proxy);
            let is_late = matches!(error.error(), Error::TimedOut(TimedOut::Handshake));
            assert!(is_late, "{adapter:?} {scheme}: {error:?}");
        }
    }
}

#[test]
fn a_proxy_that_answers_rubbish_is_found_out() {
    let interim = "HTTP/1.1 103 \r\nLink: x\r\n\r\n";
    let cases = [
        ("SSH-2.0-x\r\n\r\n".into(), HandshakeError::Malformed),
        ("HTTP/1.1 200 \r\n\r\nwords of the server".into(), HandshakeError::UnexpectedBody),
        (interim.repeat(1000), HandshakeError::HeadTooLarge),
        (String::from("HTTP/1.1 2"), HandshakeError::UnexpectedEof),
    ];
    for adapter in ADAPTERS {
        for (answer, expected) in &cases {
            let answer = answer.clone();
            let proxy = listen(move |mut stream| {
                read_head(&mut stream);
                stream.write_all(answer.as_bytes()).ok();
            });
            let proxy = Proxy::new(&format!("http://{proxy}")).unwrap();
            let error = adapter.fail(&Dialer::new("ws://name.invalid/").unwrap().proxy(proxy));
            assert_eq!(error.stage(), Stage::Proxy);
            let is_it = matches!(error.error(), Error::Handshake(error) if error == expected);
            assert!(is_it, "{adapter:?}: {error:?} is not {expected:?}");
        }
    }
}
