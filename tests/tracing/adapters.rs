//! What the adapters add: streams that fail, servers that go down, and how dialing goes.

use std::io::ErrorKind;
use std::time::Duration;

use sotong::Config;
use sotong::test_kit::{Fault, Manner, Operation, What, blocking_pair, tokio_pair};

use crate::listener::{Listener, heard};

/// With a clock that moves only when there is nothing else to do.
fn paused<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().start_paused(true).build().unwrap().block_on(work)
}

/// A stream whose first read fails for good.
fn broken() -> Manner {
    let what = What::Fails(ErrorKind::ConnectionReset);
    let mut manner = Manner::sound();
    manner.fault = Some(Fault { operation: Operation::Read, nth: 0, what, lasts: true });
    manner
}

#[test]
fn a_stream_that_fails_is_told() {
    let (mut client, _server) = blocking_pair(&Config::default(), broken());
    let (_, events) = heard(|| client.recv().unwrap_err());
    assert_eq!(events, ["DEBUG stream failed: error=connection reset"]);

    let (_, events) = heard(|| {
        paused(async {
            let (mut client, _server) = tokio_pair(&Config::default(), broken());
            client.recv().await.unwrap_err();
        });
    });
    let expected =
        ["DEBUG handshake accepted: deflate=false", "DEBUG connection opened: deflate=false"];
    assert_eq!(events[..2], expected);
    assert_eq!(events[2..], ["DEBUG stream failed: error=connection reset"]);
}

#[test]
fn what_others_write_into_an_error_of_the_stream_is_not_told() {
    use sotong::test_kit::connections;
    use sotong::{ReceiveBuffer, SendBuffer, blocking};

    struct Broken;

    impl std::io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("SECRET"))
        }
    }

    impl std::io::Write for Broken {
        fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
            Ok(buf.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let (connection, _) = connections(&Config::default(), &Config::default());
    let (io, rx) = (blocking::Plain(Broken), ReceiveBuffer::with_capacity(512));
    let parts = blocking::Parts { io, connection, rx, tx: SendBuffer::new() };
    let mut ws = blocking::WebSocket::from_parts(parts).unwrap();
    let (error, events) = heard(|| ws.recv().unwrap_err());
    assert!(error.to_string().contains("SECRET"), "who asks is told");
    assert_eq!(events, ["DEBUG stream failed: error=other error"]);
}

#[test]
fn a_connection_ends_once_however_often_it_is_asked() {
    paused(async {
        let (mut client, mut server) = tokio_pair(&Config::default(), Manner::byte_by_byte());
        let listener = Listener::default();
        let _listening = listener.listen();
        let serving = async { while server.recv().await.unwrap().is_some() {} };
        let (closed, ()) = tokio::join!(client.close(None), serving);
        closed.unwrap();
        assert_eq!(client.recv().await.unwrap(), None);
        assert_eq!(client.recv().await.unwrap(), None);
        let ends = listener.take().into_iter().filter(|event| event.contains("closed"));
        assert_eq!(ends.filter(|event| event.contains("client")).count(), 1);
    });
}

#[test]
fn a_server_that_goes_down_is_told() {
    let (_, events) = heard(|| {
        paused(async {
            let drain = sotong::tokio::Drain::new();
            let (_stays, goes) = (drain.guest(), drain.guest());
            let leaving = async {
                tokio::task::yield_now().await;
                drop(goes);
            };
            tokio::join!(drain.drain(Duration::from_millis(10)), leaving);
        });
    });
    assert_eq!(events, ["INFO draining: connections=2", "INFO drained: closed=1 cut=1"]);
}

#[cfg(feature = "dial")]
mod dialing {
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpListener};
    use std::thread;

    use sotong::dial::{Dialer, Proxy};
    use sotong::{blocking, tokio as asynchronous};

    use super::heard;

    fn block_on<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
    }

    /// A server that gives these answers, to a connection each.
    fn server(answers: Vec<String>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut head = vec![];
                while !head.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    stream.read_exact(&mut byte).unwrap();
                    head.extend(byte);
                }
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        address
    }

    fn dial(dialer: &Dialer) -> [Vec<String>; 2] {
        [
            heard(|| blocking::connect(dialer).unwrap_err()).1,
            heard(|| block_on(asynchronous::connect(dialer)).unwrap_err()).1,
        ]
    }

    #[test]
    fn every_stage_is_told_and_where_it_ends() {
        let answers = |port: u16| {
            let redirect = format!(
                "HTTP/1.1 302 Found\r\nLocation: ws://u:SECRET@127.0.0.1:{port}/SECRET\r\n\
                    Content-Length: 0\r\n\r\n"
            );
            let refusal = "HTTP/1.1 403 SECRET\r\nContent-Length: 0\r\n\r\n".to_owned();
            vec![redirect.clone(), redirect, refusal.clone(), refusal]
        };
        // The answers name the port, which is known once there is a server.
        let target = server(answers(9)[2..].to_vec()).port();
        let first = server(answers(target)[..2].to_vec()).port();
        let dialer = Dialer::new(&format!("ws://user:SECRET@127.0.0.1:{first}/?token=SECRET"));
        let dialer = dialer.unwrap().header("Cookie", "SECRET").redirects(3);
        for events in dial(&dialer) {
            let stage = |stage, port| {
                format!("DEBUG dialing: stage={stage} host=\"127.0.0.1\" port={port}")
            };
            assert_eq!(
                events,
                [
                    stage("looking up the host", first),
                    stage("connecting", first),
                    stage("opening the WebSocket", first),
                    "INFO server refused: status=302".to_owned(),
                    format!("DEBUG redirected: status=302 host=\"127.0.0.1\" port={target}"),
                    stage("looking up the host", target),
                    stage("connecting", target),
                    stage("opening the WebSocket", target),
                    "INFO server refused: status=403".to_owned(),
                    "INFO dialing failed: stage=opening the WebSocket \
                        error=the server refused with status 403"
                        .to_owned(),
                ]
            );
        }
    }

    #[test]
    fn a_proxy_is_told_and_its_refusal() {
        let refusal = "HTTP/1.1 407 SECRET\r\nContent-Length: 0\r\n\r\n".to_owned();
        let proxy = server(vec![refusal.clone(), refusal]).port();
        let dialer = Dialer::new("ws://server.test/").unwrap();
        let uri = format!("http://user:SECRET@127.0.0.1:{proxy}");
        for events in dial(&dialer.proxy(Proxy::new(&uri).unwrap())) {
            assert_eq!(
                events[2..],
                [
                    format!(
                        "DEBUG dialing: stage=asking the proxy host=\"127.0.0.1\" port={proxy}"
                    ),
                    "INFO dialing failed: stage=asking the proxy \
                        error=the server refused with status 407"
                        .to_owned(),
                ]
            );
        }
    }
}
