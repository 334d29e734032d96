//! One prepared message to many connections, each of which has agreed on something else.

use std::net::{TcpListener, TcpStream};
use std::thread;

use sotong::handshake::client::Request;
use sotong::{Deflate, Event, Prepared, blocking, tokio as asynchronous};

use super::*;
use crate::sockets::{ADAPTERS, Adapter, nonblocking};
use crate::subject::block_on;

/// What clients ask for, and the window and the context of what they get: several of one kind, so
/// that they share what is compressed once.
fn clients() -> Vec<(Config, Option<(u8, bool)>)> {
    let asking = |bits, keeps_context| {
        let ask = |it: &mut Deflate| {
            (it.peer_window_bits, it.peer_context_takeover) = (bits, keeps_context);
        };
        (config(ask), Some((bits, keeps_context)))
    };
    vec![
        (Config::default(), None),
        asking(15, true),
        asking(15, false),
        asking(15, false),
        asking(9, false),
        asking(9, true),
        asking(12, false),
        asking(12, false),
        asking(12, true),
        (Config::default(), None),
    ]
}

/// Two messages that refer to themselves, over distances that only the larger windows reach.
fn news() -> [String; 2] {
    let letters =
        |len| -> String { noise(len).iter().map(|n| char::from(b'a' + n % 26)).collect() };
    let (near, far) = (letters(300), letters(3_000));
    [format!("{near}{near}{far}{near}{far}"), format!("{far}{near}{near}")]
}

/// Which of them all connections send, one after the other. Each sends something of its own in
/// between, so that their contexts differ.
const PROGRAMME: [usize; 5] = [0, 0, 1, 0, 1];

fn own(i: usize) -> String {
    format!("to client {i}: {LONG}")
}

fn serve(stream: TcpStream, config: &Config, i: usize, common: &[Prepared; 2]) -> Agreed {
    let mut ws = blocking::accept(stream, config).unwrap();
    for n in PROGRAMME {
        ws.send_prepared(&common[n]).unwrap();
        ws.feed_text(&own(i)).unwrap();
    }
    while ws.recv().unwrap().is_some() {}
    ws.agreed()
}

async fn serve_async(
    stream: TcpStream,
    config: &Config,
    i: usize,
    common: &[Prepared; 2],
) -> Agreed {
    let mut ws = asynchronous::accept(nonblocking(stream), config).await.unwrap();
    for n in PROGRAMME {
        ws.send_prepared(&common[n]).await.unwrap();
        ws.feed_text(&own(i)).await.unwrap();
    }
    while ws.recv().await.unwrap().is_some() {}
    ws.agreed()
}

/// Receives all that a server has for this client, and closes.
fn listen(stream: TcpStream, config: &Config, i: usize) {
    let (mut ws, _) = blocking::connect(stream, &Request::default(), config).unwrap();
    let news = news();
    for n in PROGRAMME {
        assert_eq!(ws.recv().unwrap(), Some(Event::Text(&news[n])), "client {i}");
        assert_eq!(ws.recv().unwrap(), Some(Event::Text(&own(i))), "client {i}");
    }
    ws.close(None).unwrap();
}

#[test]
fn a_prepared_message_reaches_everybody_whatever_was_agreed_on() {
    let config = config(|_| {});
    for adapter in ADAPTERS {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let common = news().map(|news| Prepared::new(&news[..]));
        thread::scope(|scope| {
            let mut serving = vec![];
            for (i, (asked, expected)) in clients().into_iter().enumerate() {
                let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
                let accepted = listener.accept().unwrap().0;
                let (config, common) = (&config, common.clone());
                scope.spawn(move || listen(stream, &asked, i));
                serving.push((
                    expected,
                    scope.spawn(move || match adapter {
                        Adapter::Blocking => serve(accepted, config, i, &common),
                        Adapter::Tokio => block_on(serve_async(accepted, config, i, &common)),
                    }),
                ));
            }
            for (expected, serving) in serving {
                let agreed = serving.join().unwrap().deflate;
                let agreed =
                    agreed.map(|it| (it.server_max_window_bits, !it.server_no_context_takeover));
                assert_eq!(agreed, expected);
            }
        });
    }
}
