//! The adapter of `examples/mio.rs`, which shows how to write one, has to be a good one.
#![cfg(all(feature = "std", not(miri)))]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::net::TcpListener;
use sotong::blocking::{WebSocket, connect_over};
use sotong::handshake::client::Request;
use sotong::{CloseCode, CloseFrame, Config, Event, State};

#[path = "../examples/mio.rs"]
#[expect(dead_code, reason = "its main is not called")]
mod example;

/// Runs the example's server with this configuration; its address.
fn serve(config: Config) -> SocketAddr {
    serve_at(listen(), config)
}

fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0".parse().unwrap()).unwrap()
}

fn serve_at(listener: TcpListener, config: Config) -> SocketAddr {
    let address = listener.local_addr().unwrap();
    std::thread::spawn(|| example::serve(listener, Arc::new(config)).unwrap());
    address
}

fn connect(address: SocketAddr) -> WebSocket<TcpStream> {
    let host = address.to_string();
    let request = Request { host: &host, ..Request::default() };
    connect_over(TcpStream::connect(address).unwrap(), &request, Config::default()).unwrap().0
}

/// The next message, pongs aside.
fn message(ws: &mut WebSocket<TcpStream>) -> Vec<u8> {
    loop {
        match ws.recv().unwrap().unwrap() {
            Event::Text(text) => return text.into(),
            Event::Binary(bytes) => return bytes.into(),
            Event::Ping(_) | Event::Pong(_) => {}
            Event::Close(frame) => panic!("closed with {frame:?}"),
        }
    }
}

/// A connection without anybody who looks after it.
fn connect_raw(address: SocketAddr) -> TcpStream {
    let stream = connect(address).into_parts().io;
    stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// A frame of a client's, masked with a key that changes nothing.
fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match payload.len() {
        len @ ..126 => frame.push(0x80 | len as u8),
        len => frame.extend([&[0x80 | 126], &(len as u16).to_be_bytes()[..]].concat()),
    }
    [&frame[..], &[0; 4], payload].concat()
}

fn short_timeouts() -> Config {
    let (mut config, short) = (Config::default(), Some(Duration::from_millis(100)));
    config.timeouts.handshake = short;
    (config.timeouts.keepalive, config.timeouts.pong) = (short, short);
    (config.timeouts.close, config.timeouts.send) = (short, short);
    config
}

/// What comes until the stream ends, and how long that takes.
fn read_to_end(mut stream: TcpStream) -> (Vec<u8>, Duration) {
    let (mut all, start) = (Vec::new(), Instant::now());
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.read_to_end(&mut all).unwrap();
    (all, start.elapsed())
}

#[test]
fn messages_of_all_sizes_come_back_whole_and_in_order() {
    let mut ws = connect(serve(Config::default()));
    for size in [0, 1, 125, 126, 16_384, 65_535, 65_536, 1 << 20] {
        let sent: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
        ws.send_binary(&sent).unwrap();
        assert!(message(&mut ws) == sent, "{size} bytes");
    }
    for part in ["소", "통", ""] {
        ws.send_fragment(part, part.is_empty()).unwrap();
    }
    ws.ping(b"there?").unwrap();
    assert_eq!(message(&mut ws), "소통".as_bytes());
    assert_eq!(ws.recv().unwrap(), Some(Event::Pong(b"there?")));
    for i in 0..10 {
        ws.ping(&[i]).unwrap(); // several of them in one read
    }
    for i in 0..10 {
        assert_eq!(ws.recv().unwrap(), Some(Event::Pong(&[i])));
    }
    let sent: Vec<String> = (0..1000).map(|i| format!("{i}")).collect();
    sent.iter().for_each(|text| ws.feed_text(text).unwrap());
    let back: Vec<_> = sent.iter().map(|_| message(&mut ws)).collect();
    assert!(back.iter().eq(sent.iter().map(|text| text.as_bytes())));
}

#[test]
fn one_that_does_not_read_is_not_read_from_and_holds_nobody_up() {
    let address = serve(Config::default());
    let (deaf, mut other) = (connect(address), connect(address));
    // More than the sockets' buffers hold on the way there and back: the rest has to wait with us.
    let (parts, size) = (64, 1 << 20);
    let (mut receiver, mut sender) = deaf.split().unwrap();
    let sending = std::thread::spawn(move || {
        for i in 0..parts {
            sender.send_binary(&vec![i; size]).unwrap();
        }
    });
    std::thread::sleep(Duration::from_millis(500));
    assert!(!sending.is_finished(), "it was all read, though nothing was taken back");
    other.send_text("are you there?").unwrap();
    assert_eq!(message(&mut other), b"are you there?");
    for i in 0..parts {
        let Some(Event::Binary(bytes)) = receiver.recv().unwrap() else { panic!("no message") };
        assert!(bytes.len() == size && bytes.iter().all(|&byte| byte == i), "message {i}");
    }
    sending.join().unwrap();
}

#[test]
fn who_has_had_a_turn_and_has_more_gets_another_one() {
    let mut config = Config::default();
    (config.limits.receive_buffer, config.limits.head) = (512, 512); // a turn is soon over
    let mut stream = connect_raw(serve(config));
    let mut bytes = frame(10, &[0; 100]).repeat(500); // pongs, which nobody answers
    bytes.extend(frame(1, b"last"));
    stream.write_all(&bytes).unwrap();
    let mut echo = [0; 6];
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.read_exact(&mut echo).unwrap();
    assert_eq!(&echo, b"\x81\x04last");
}

#[test]
fn who_says_no_more_but_still_reads_gets_all_of_it() {
    let listener = listen();
    // What connections inherit: they hold little. Of one of these echoes a part is left with the
    // server when the end comes, however little that is.
    socket2::SockRef::from(&listener).set_send_buffer_size(1 << 13).unwrap();
    let address = serve_at(listener, Config::default());
    let streams: Vec<_> = (1..24).map(|messages| (messages, connect_raw(address))).collect();
    for (messages, stream) in &streams {
        let (mut stream, bytes) = (stream, frame(2, &[7; 1 << 15]).repeat(*messages));
        stream.write_all(&bytes).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
    }
    std::thread::sleep(Duration::from_millis(300));
    for (messages, stream) in streams {
        let (echo, _) = read_to_end(stream);
        assert_eq!(echo.len(), messages * (4 + (1 << 15)));
    }
}

#[test]
fn many_connections_are_served_at_once() {
    let address = serve(Config::default());
    let mut all: Vec<_> = (0..300).map(|_| connect(address)).collect();
    for round in 0..3 {
        for (i, ws) in all.iter_mut().enumerate() {
            ws.send_text(&format!("{round} {i}")).unwrap();
        }
        for (i, ws) in all.iter_mut().enumerate() {
            assert_eq!(message(ws), format!("{round} {i}").as_bytes());
        }
    }
}

#[test]
fn a_close_is_answered_and_the_server_hangs_up_first() {
    let (mut ws, start) = (connect(serve(Config::default())), Instant::now());
    ws.send_text("bye").unwrap();
    ws.send_close(Some(CloseFrame { code: CloseCode(4001), reason: "안녕히" })).unwrap();
    assert_eq!(message(&mut ws), b"bye");
    assert!(matches!(ws.recv().unwrap(), Some(Event::Close(Some(close))) if close.code.0 == 4001));
    assert_eq!(ws.recv().unwrap(), None);
    assert_eq!(ws.state(), State::Closed);
    assert!(start.elapsed() < Duration::from_secs(8), "it was waited for until it was given up");
}

#[test]
fn who_breaks_a_rule_is_told_which() {
    let mut ws = connect(serve(Config::default()));
    // Larger than the limit, and under way while the Close comes.
    assert!(ws.send_binary(&vec![0; (1 << 20) + 1]).is_ok());
    let close = loop {
        match ws.recv() {
            Ok(Some(Event::Close(Some(close)))) => break close.code,
            Ok(Some(_)) => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(close, CloseCode::TOO_BIG);
    assert!(matches!(ws.recv(), Ok(None)));
}

#[test]
fn what_is_no_request_for_a_websocket_is_refused_and_sees_the_answer() {
    let address = serve(Config::default());
    for (request, status) in
        [("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "426"), ("nonsense\r\n\r\n", "400")]
    {
        let mut stream = TcpStream::connect(address).unwrap();
        // Unread bytes behind it must not reset the stream.
        stream.write_all(format!("{request}{}", "x".repeat(100_000)).as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let (answer, _) = read_to_end(stream);
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
}

#[test]
fn who_never_asks_is_answered_408_and_who_never_hangs_up_is_left() {
    let (answer, took) = read_to_end(TcpStream::connect(serve(short_timeouts())).unwrap());
    assert!(answer.starts_with(b"HTTP/1.1 408 "), "{}", answer.escape_ascii());
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn a_silent_peer_is_pinged_and_one_that_does_not_answer_is_dropped() {
    let address = serve(short_timeouts());
    let mut alive = connect(address);
    let answering = std::thread::spawn(move || {
        for _ in 0..3 {
            assert!(matches!(alive.recv().unwrap(), Some(Event::Ping(_))));
        }
        alive.send_text("still here").unwrap();
        assert_eq!(message(&mut alive), b"still here");
    });
    let (rest, took) = read_to_end(connect_raw(address));
    assert_eq!(rest, b"\x89\0", "a ping, and the end");
    assert!(took < Duration::from_secs(10), "{took:?}");
    answering.join().unwrap();
}

#[test]
fn one_that_vanishes_leaves_the_others_alone() {
    let address = serve(Config::default());
    let mut stays = connect(address);
    for _ in 0..50 {
        let mut goes = connect(address);
        goes.send_binary(&[7; 10_000]).unwrap();
        drop(goes); // with what comes back unread: a reset
    }
    stays.send_text("here").unwrap();
    assert_eq!(message(&mut stays), b"here");
}
