//! Every stage at which dialing can fail says so, in time.

use std::io::{self, ErrorKind, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};
use sotong::dial::{DialError, Dialer, InvalidUri, Stage};
use sotong::handshake::HandshakeError;
use sotong::{Error, TimedOut, blocking, tokio as asynchronous};

use crate::servers::{answering, echo, listen, silent};
use crate::{ADAPTERS, Adapter, block_on, patient};

#[test]
fn a_uri_will_do_in_place_of_a_dialer() {
    let (server, requests) = echo();
    let uri = format!("ws://{server}/채팅");
    blocking::connect(&*uri).unwrap().0.close(None).unwrap();
    blocking::connect(uri.clone()).unwrap().0.close(None).unwrap();
    blocking::connect(uri.parse::<Dialer>().unwrap()).unwrap().0.close(None).unwrap();
    block_on(async {
        asynchronous::connect(&uri).await.unwrap().0.close(None).await.unwrap();
        asynchronous::connect(uri).await.unwrap().0.close(None).await.unwrap();
    });
    for _ in 0..5 {
        assert_eq!(requests.recv().unwrap()[0], "GET /%EC%B1%84%ED%8C%85");
    }
}

#[test]
fn what_is_no_uri_fails_at_the_first_stage() {
    let check = |error: DialError| {
        assert_eq!(error.stage(), Stage::Uri);
        assert!(matches!(error.error(), Error::Uri(InvalidUri::Scheme)), "{error:?}");
        let told =
            "reading the URI: a WebSocket URI begins with ws:// or wss:// (RFC 6455, section 3)";
        assert_eq!(error.to_string(), told);
    };
    check(blocking::connect("http://a/").unwrap_err());
    check(block_on(async { asynchronous::connect("http://a/").await.unwrap_err() }));
}

/// An address at which nobody listens.
fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// What is printed of an error and of those behind it, as many programs do it.
fn chain(error: &dyn std::error::Error) -> String {
    let behind = std::iter::successors(error.source(), |error| error.source());
    behind.fold(error.to_string(), |told, error| format!("{told}: {error}"))
}

#[test]
fn an_error_says_everything_in_a_line_and_nothing_twice() {
    for adapter in ADAPTERS {
        let error = adapter.fail(&Dialer::new(&format!("ws://{}/", nobody())).unwrap());
        let Error::Io(refused) = error.error() else { panic!("{error:?}") };
        assert_eq!(error.to_string(), format!("connecting: {refused}"));
        assert_eq!(chain(&error), error.to_string());

        let dialer = Dialer::new(&format!("ws://{}/", silent())).unwrap().config(patient(100));
        assert_eq!(chain(&adapter.fail(&dialer)), "opening the WebSocket: it took too long");
        let plain = listen(|mut stream| {
            stream.write_all(b"SSH-2.0\r\n").ok();
            io::copy(&mut stream, &mut io::sink()).ok();
        });
        let error = adapter.fail(&Dialer::new(&format!("wss://{plain}/")).unwrap());
        let Error::Io(no_tls) = error.error() else { panic!("{error:?}") };
        assert_eq!(chain(&error), format!("setting up TLS: {no_tls}"));
    }
}

#[test]
fn an_error_among_others_still_says_at_which_stage_it_came() {
    fn dial(adapter: Adapter, server: SocketAddr) -> sotong::Result<()> {
        let uri = format!("ws://{server}/");
        match adapter {
            Adapter::Blocking => drop(blocking::connect(&uri)?),
            Adapter::Tokio => drop(block_on(asynchronous::connect(&uri))?),
        }
        Ok(())
    }
    for adapter in ADAPTERS {
        let error = dial(adapter, nobody()).unwrap_err();
        assert!(chain(&error).starts_with("connecting: "), "{error}");
        assert_eq!(chain(&error), error.to_string());
        assert!(matches!(&error, Error::Dial(error) if error.stage() == Stage::Connect));
        assert_eq!(io::Error::from(error).kind(), ErrorKind::ConnectionRefused);

        let gone = dial(adapter, listen(drop)).unwrap_err();
        assert!(gone.is_abrupt_close() && !gone.is_peer_fault(), "{gone:?}");
        let strange = dial(adapter, answering("SSH-2.0\r\n\r\n")).unwrap_err();
        assert!(strange.is_peer_fault() && !strange.is_abrupt_close(), "{strange:?}");
        assert_eq!(strange.section(), HandshakeError::Malformed.section());
        assert_eq!(io::Error::from(strange).kind(), ErrorKind::InvalidData);
    }
}

#[test]
fn a_name_that_nobody_has_is_told() {
    for adapter in ADAPTERS {
        let error = adapter.fail(&Dialer::new("ws://name.invalid/").unwrap());
        assert_eq!(error.stage(), Stage::Resolve, "{error}");
        assert!(matches!(error.error(), Error::Io(_)), "{error:?}");
    }
}

#[test]
fn a_port_that_nobody_listens_at_is_told() {
    let port = nobody().port();
    for adapter in ADAPTERS {
        let error = adapter.fail(&Dialer::new(&format!("ws://localhost:{port}/")).unwrap());
        assert_eq!(error.stage(), Stage::Connect, "{error}");
        let refused = ErrorKind::ConnectionRefused;
        assert!(matches!(error.error(), Error::Io(error) if error.kind() == refused), "{error:?}");
    }
}

/// A listener that answers no more attempts to connect, since its backlog is full.
fn deaf() -> (Socket, Vec<TcpStream>, u16) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    socket.bind(&any.into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let mut waiting = vec![];
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(100)) {
        waiting.push(stream);
    }
    (socket, waiting, address.port())
}

#[test]
fn whoever_does_not_answer_at_all_is_waited_for_until_the_deadline() {
    let (_listener, _waiting, port) = deaf();
    for adapter in ADAPTERS {
        let dialer = Dialer::new(&format!("ws://127.0.0.1:{port}/")).unwrap().config(patient(400));
        let start = Instant::now();
        let error = adapter.fail(&dialer);
        assert_eq!(error.stage(), Stage::Connect, "{error}");
        assert!(matches!(error.error(), Error::TimedOut(TimedOut::Handshake)), "{error:?}");
        assert!((300..3000).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
    }
}

/// `localhost` has addresses of both families as a rule; only one of them is listened at.
#[test]
fn all_addresses_are_tried() {
    for (bind, adapter) in
        ["127.0.0.1:0", "[::1]:0"].iter().flat_map(|&bind| ADAPTERS.map(|adapter| (bind, adapter)))
    {
        let Ok(listener) = TcpListener::bind(bind) else { continue }; // no such family here
        let port = listener.local_addr().unwrap().port();
        let addresses: Vec<_> =
            std::net::ToSocketAddrs::to_socket_addrs(&("localhost", port)).unwrap().collect();
        if !addresses.contains(&listener.local_addr().unwrap()) {
            continue;
        }
        std::thread::spawn(move || {
            let (tell, _told) = std::sync::mpsc::channel();
            crate::servers::serve_echo(listener.accept().unwrap().0, &tell);
        });
        adapter.echo(&Dialer::new(&format!("ws://localhost:{port}/")).unwrap()).unwrap();
    }
}

#[test]
fn an_opening_handshake_that_fails_says_why() {
    let fail = |adapter: Adapter, server, millis| {
        let dialer = Dialer::new(&format!("ws://{server}/")).unwrap().config(patient(millis));
        let error = adapter.fail(&dialer);
        assert_eq!(error.stage(), Stage::Handshake, "{error}");
        error
    };
    for adapter in ADAPTERS {
        let refused =
            fail(adapter, answering("HTTP/1.1 401 \r\nContent-Length: 2\r\n\r\nno"), 5000);
        let refusal = refused.refusal().unwrap();
        assert_eq!((refusal.status(), refusal.body()), (401, &b"no"[..]));

        let strange = fail(adapter, answering("SSH-2.0\r\n\r\n"), 5000);
        let malformed = matches!(strange.error(), Error::Handshake(HandshakeError::Malformed));
        assert!(malformed, "{strange:?}");

        let late = fail(adapter, silent(), 200);
        assert!(matches!(late.error(), Error::TimedOut(TimedOut::Handshake)), "{late:?}");
    }
}
