//! `wss://`.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use sotong::blocking::{self, TlsStream};
use sotong::dial::{Dialer, Proxy, Reconnect, Stage};
use sotong::{Config, Error, Event, TimedOut, tokio as asynchronous};

use crate::servers::{answering, listen, read_head, serve_echo, silent, splice};
use crate::{ADAPTERS, GREETING, block_on, patient};

/// Settings of a server that is `localhost`, and of clients that trust it.
pub fn settings() -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".into()]).unwrap();
    let provider = Arc::new(default_provider());
    let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let server = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(server), Arc::new(client))
}

fn echo(config: &Arc<ServerConfig>) -> (SocketAddr, Receiver<Vec<String>>) {
    let (tell, told) = channel();
    let config = config.clone();
    let serve = move |stream| {
        let tls = TlsStream::server(stream, config.clone()).unwrap();
        serve_echo(tls, &tell);
    };
    (listen(serve), told)
}

#[test]
fn a_server_that_is_trusted_is_talked_to() {
    let (server, client) = settings();
    for adapter in ADAPTERS {
        let (address, requests) = echo(&server);
        let port = address.port();
        let dialer = Dialer::new(&format!("wss://localhost:{port}/")).unwrap().tls(client.clone());
        adapter.echo(&dialer).unwrap();
        let host = format!("Host: localhost:{port}");
        assert!(requests.recv().unwrap().contains(&host));
    }
}

#[test]
fn nobody_is_trusted_without_a_reason_and_nothing_panics_without_a_provider() {
    let (server, client) = settings();
    for adapter in ADAPTERS {
        let port = echo(&server).0.port();
        let unknown = adapter.fail(&Dialer::new(&format!("wss://localhost:{port}/")).unwrap());
        assert_eq!(unknown.stage(), Stage::Tls, "{unknown}");
        let other = Dialer::new(&format!("wss://127.0.0.1:{port}/")).unwrap().tls(client.clone());
        let other = adapter.fail(&other);
        assert_eq!(other.stage(), Stage::Tls, "{other}");
        assert!(matches!(other.error(), Error::Io(_)), "{other:?}");
    }
}

/// What a server that has TLS makes of whoever comes first.
fn accept_one(config: Arc<ServerConfig>) -> (SocketAddr, thread::JoinHandle<Error>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let accepting = thread::spawn(move || {
        let tls = TlsStream::server(listener.accept().unwrap().0, config).unwrap();
        blocking::accept(tls, Config::default()).expect_err("it is no client of ours")
    });
    (address, accepting)
}

/// Two threads in one handshake would wait for each other's bytes.
#[test]
fn there_is_one_handle_until_the_handshake_is_over() {
    let (_, client) = settings();
    let silent = silent();
    let stream = TcpStream::connect(silent).unwrap();
    let tls = TlsStream::client(stream, client, "localhost".try_into().unwrap()).unwrap();
    assert!(blocking::TryClone::try_clone(&tls).unwrap_err().to_string().contains("flush"));
}

#[test]
fn a_server_that_is_not_trusted_is_told_why() {
    let (server, _) = settings();
    for adapter in ADAPTERS {
        let (address, accepting) = accept_one(server.clone());
        let port = address.port();
        adapter.fail(&Dialer::new(&format!("wss://localhost:{port}/")).unwrap());
        let told = accepting.join().unwrap();
        assert!(told.to_string().contains("fatal alert: UnknownCA"), "{adapter:?}: {told}");
    }
}

#[test]
fn a_client_without_tls_is_told_so_and_not_waited_for() {
    let (address, accepting) = accept_one(settings().0);
    let mut client = TcpStream::connect(address).unwrap();
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let start = Instant::now();
    let mut alert = vec![];
    client.read_to_end(&mut alert).unwrap();
    assert_eq!(alert.first(), Some(&0x15), "an alert (RFC 8446, section 5.1)");
    assert!(matches!(accepting.join().unwrap(), Error::Io(_)));
    assert!(start.elapsed() < Config::default().timeouts.close.unwrap() / 2);
}

#[test]
fn tls_goes_through_a_proxy_and_never_back_to_plain() {
    let (server, client) = settings();
    for adapter in ADAPTERS {
        let (address, _requests) = echo(&server);
        let proxy = listen(move |mut stream: TcpStream| {
            read_head(&mut stream);
            std::io::Write::write_all(&mut stream, b"HTTP/1.1 200 \r\n\r\n").unwrap();
            splice(stream, TcpStream::connect(address).unwrap());
        });
        let dialer = Dialer::new("wss://localhost/").unwrap().tls(client.clone());
        adapter.echo(&dialer.proxy(Proxy::new(&format!("http://{proxy}")).unwrap())).unwrap();

        let (tls, plain) = (server.clone(), echo(&server).0);
        let downgrading = listen(move |stream| {
            let tls = TlsStream::server(stream, tls.clone()).unwrap();
            let upgrade = blocking::Upgrade::receive(tls, Config::default()).unwrap();
            upgrade.reject(302, &[("Location", &format!("http://{plain}/"))], b"").unwrap();
        });
        let dialer = Dialer::new(&format!("wss://localhost:{}/", downgrading.port())).unwrap();
        let error = adapter.fail(&dialer.tls(client.clone()).redirects(5));
        assert_eq!(error.stage(), Stage::Redirect);
        let told = "status 302, a redirect from TLS to a server without";
        assert!(error.to_string().ends_with(told), "{error}");
    }
}

#[test]
fn a_host_that_no_certificate_can_be_for_is_not_dialed_again() {
    for adapter in ADAPTERS {
        let proxy = Proxy::new(&format!("http://{}", answering("HTTP/1.1 200 \r\n\r\n"))).unwrap();
        let error = adapter.fail(&Dialer::new("wss://a..b/").unwrap().proxy(proxy));
        assert_eq!(error.stage(), Stage::Tls, "{error}");
        assert!(
            matches!(error.error(), Error::Io(error) if error.kind() == ErrorKind::InvalidInput)
        );
        assert_eq!(Reconnect::default().after_failure(&error), None);
    }
}

#[test]
fn a_server_that_speaks_no_tls_is_found_out_in_time() {
    let (_, client) = settings();
    for adapter in ADAPTERS {
        let dialer = |server: SocketAddr| {
            let uri = format!("wss://localhost:{}/", server.port());
            Dialer::new(&uri).unwrap().tls(client.clone()).config(patient(300))
        };
        let silent = adapter.fail(&dialer(silent()));
        assert_eq!(silent.stage(), Stage::Tls);
        assert!(matches!(silent.error(), Error::TimedOut(TimedOut::Handshake)), "{silent:?}");
        let plain = listen(|mut stream| {
            std::io::Read::read(&mut stream, &mut [0; 100]).unwrap();
            std::io::Write::write_all(&mut stream, b"HTTP/1.1 400 \r\n\r\n").unwrap();
        });
        let plain = adapter.fail(&dialer(plain));
        assert_eq!(plain.stage(), Stage::Tls);
        assert!(matches!(plain.error(), Error::Io(_)), "{plain:?}");
        let gone = adapter.fail(&dialer(listen(|mut stream| {
            std::io::Read::read(&mut stream, &mut [0; 1000]).unwrap();
        })));
        assert_eq!(gone.stage(), Stage::Tls);
        assert!(gone.error().is_abrupt_close(), "{gone:?}");
    }
}

/// Both halves at work at the same time, in both directions, until much more has gone through than
/// sockets hold.
#[test]
fn halves_work_over_tls_from_two_threads() {
    const MESSAGES: usize = 100;
    let message = GREETING.repeat(3_000); // 33 KB
    let (server, client) = settings();
    let (address, _requests) = echo(&server);
    let dialer = Dialer::new(&format!("wss://localhost:{}/", address.port())).unwrap().tls(client);

    let (ws, _) = blocking::connect(&dialer).unwrap();
    let (mut receiver, sender) = ws.split().unwrap();
    let sender = Arc::new(Mutex::new(sender));
    let sending = thread::spawn({
        let (sender, message) = (sender.clone(), message.clone());
        move || {
            for _ in 0..MESSAGES {
                sender.lock().unwrap().send_text(&message).unwrap();
            }
        }
    });
    for _ in 0..MESSAGES {
        assert_eq!(receiver.recv().unwrap(), Some(Event::Text(&message)));
    }
    sending.join().unwrap();
    sender.lock().unwrap().send_close(None).unwrap();
    assert_eq!(receiver.recv().unwrap(), Some(Event::Close(None)));
    assert_eq!(receiver.recv().unwrap(), None);

    block_on(async {
        let (ws, _) = asynchronous::connect(&dialer).await.unwrap();
        let (mut receiver, mut sender) = ws.split();
        let sending = async {
            for _ in 0..MESSAGES {
                sender.send_text(&message).await.unwrap();
            }
            sender.send_close(None).await.unwrap();
        };
        let receiving = async {
            for _ in 0..MESSAGES {
                assert_eq!(receiver.recv().await.unwrap(), Some(Event::Text(&message)));
            }
            assert_eq!(receiver.recv().await.unwrap(), Some(Event::Close(None)));
            assert_eq!(receiver.recv().await.unwrap(), None);
        };
        tokio::join!(sending, receiving);
    });
}
