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

/// Texts that refer to themselves, over distances that only the larger windows reach.
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
    format!("to client {i}: {LONG}{}", news()[1])
}

/// Serves all clients from one thread; what was agreed on with each.
fn serve(streams: Vec<TcpStream>, config: &Config, common: &[Prepared; 2]) -> Vec<Agreed> {
    let accept = |stream| blocking::accept(stream, config).unwrap();
    let mut all: Vec<_> = streams.into_iter().map(accept).collect();
    for n in PROGRAMME {
        for (i, ws) in all.iter_mut().enumerate() {
            ws.feed_prepared(&common[n]).unwrap();
            ws.send_text(&own(i)).unwrap();
        }
    }
    for ws in &mut all {
        while ws.recv().unwrap().is_some() {}
    }
    all.iter().map(blocking::WebSocket::agreed).collect()
}

/// As [`serve`].
async fn serve_async(
    streams: Vec<TcpStream>,
    config: &Config,
    common: &[Prepared; 2],
) -> Vec<Agreed> {
    let mut all = vec![];
    for stream in streams {
        all.push(asynchronous::accept(nonblocking(stream), config).await.unwrap());
    }
    for n in PROGRAMME {
        for (i, ws) in all.iter_mut().enumerate() {
            ws.feed_prepared(&common[n]).await.unwrap();
            ws.send_text(&own(i)).await.unwrap();
        }
    }
    for ws in &mut all {
        while ws.recv().await.unwrap().is_some() {}
    }
    all.iter().map(asynchronous::WebSocket::agreed).collect()
}

/// Receives all that a server has for this client, and closes.
fn listen(stream: TcpStream, config: &Config, i: usize) {
    let (mut ws, _) = blocking::connect_over(stream, &Request::default(), config).unwrap();
    let (news, own) = (news(), own(i));
    for n in PROGRAMME {
        assert_eq!(ws.recv().unwrap(), Some(Event::Text(&news[n])), "client {i}");
        assert_eq!(ws.recv().unwrap(), Some(Event::Text(&own)), "client {i}");
    }
    ws.close(None).unwrap();
}

#[test]
fn a_prepared_message_reaches_everybody_whatever_was_agreed_on() {
    let config = config(|_| {});
    for adapter in ADAPTERS {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let common = news().map(|news| Prepared::new(&news[..]));
        let agreed = thread::scope(|scope| {
            let mut streams = vec![];
            for (i, (asked, _)) in clients().into_iter().enumerate() {
                let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
                streams.push(listener.accept().unwrap().0);
                scope.spawn(move || listen(stream, &asked, i));
            }
            match adapter {
                Adapter::Blocking => serve(streams, &config, &common),
                Adapter::Tokio => block_on(serve_async(streams, &config, &common)),
            }
        });
        let said: Vec<_> = agreed
            .iter()
            .map(|agreed| agreed.deflate)
            .map(|it| it.map(|it| (it.server_max_window_bits, !it.server_no_context_takeover)))
            .collect();
        let asked: Vec<_> = clients().into_iter().map(|(_, asked)| asked).collect();
        assert_eq!(said, asked, "{adapter:?}");
    }
}
