//! The test kit: its streams do what streams may, and both adapters stand it.
#![cfg(feature = "std")]

use std::io::{ErrorKind, IoSlice, Read, Write};
use std::thread;
use std::time::Duration;

use sotong::blocking::{Stream, TryClone};
use sotong::test_kit::{
    Adversarial, Fault, Manner, Operation, Pair, Pipe, Seen, What, blocking_pair, connections, pipe,
};
use sotong::{Config, Event, blocking};

const TICK: Duration = Duration::from_millis(5);

/// Two ends that give up waiting.
fn ticking(capacity: usize) -> (Pipe, Pipe) {
    let (mut near, mut far) = pipe(capacity);
    assert!(near.prepare(Some(TICK)).unwrap() && far.prepare(Some(TICK)).unwrap());
    (near, far)
}

fn would_block<T: std::fmt::Debug>(done: std::io::Result<T>) {
    assert_eq!(done.unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_pipe_holds_what_it_has_room_for_in_each_direction() {
    let (mut near, mut far) = ticking(4);
    let both = [IoSlice::new(b"ab"), IoSlice::new(b"cde")];
    assert_eq!(near.write_vectored(&both).unwrap(), 4);
    would_block(near.write(b"e"));
    assert_eq!(far.write(b"back").unwrap(), 4, "the other direction is another one");
    let mut buf = [0; 3];
    assert_eq!((far.read(&mut buf).unwrap(), &buf), (3, b"abc"));
    assert_eq!(near.write(b"efgh").unwrap(), 3);
    assert_eq!((far.read(&mut buf).unwrap(), &buf), (3, b"def"));
    assert_eq!((far.read(&mut buf).unwrap(), &buf[..1]), (1, &b"g"[..]));
    would_block(far.read(&mut buf));
    assert_eq!((far.read(&mut []).unwrap(), near.write(&[]).unwrap()), (0, 0));
}

#[test]
fn an_end_that_is_shut_down_may_still_read() {
    let (mut near, mut far) = ticking(10);
    near.write_all(b"last").unwrap();
    assert!(near.shut_down().unwrap());
    assert_eq!(near.write(b"more").unwrap_err().kind(), ErrorKind::BrokenPipe);
    let mut all = vec![];
    assert_eq!((far.read_to_end(&mut all).unwrap(), &all[..]), (4, &b"last"[..]));
    far.write_all(b"answer").unwrap();
    let mut buf = [0; 10];
    assert_eq!(near.read(&mut buf).unwrap(), 6);
    would_block(near.read(&mut buf));
}

#[test]
fn an_end_is_gone_when_its_last_handle_is() {
    let (mut near, mut far) = ticking(10);
    let other = near.try_clone().unwrap();
    near.write_all(b"bye").unwrap();
    drop(near);
    let mut buf = [0; 10];
    assert_eq!(far.read(&mut buf).unwrap(), 3);
    would_block(far.read(&mut buf));
    assert_eq!(far.write(b"a").unwrap(), 1);
    drop(other);
    assert_eq!(far.read(&mut buf).unwrap(), 0);
    assert_eq!(far.write(b"a").unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[test]
fn a_thread_that_waits_is_woken_by_bytes_by_room_and_by_the_end() {
    let (mut near, mut far) = pipe(1);
    let reading = thread::spawn(move || {
        let mut all = vec![];
        far.read_to_end(&mut all).unwrap();
        all
    });
    near.write_all(b"one by one").unwrap();
    drop(near);
    assert_eq!(reading.join().unwrap(), b"one by one");
}

#[test]
fn an_adversarial_stream_changes_no_bytes() {
    let text: Vec<u8> = (0..10_000_u32).map(|i| ((i * i) >> 3) as u8).collect();
    for manner in [Manner::byte_by_byte(), Manner::hesitant(7), Manner::random(3)] {
        let (near, far) = pipe(100);
        let (mut near, mut far) = (Adversarial::new(near, manner), Adversarial::new(far, manner));
        let expected = text.clone();
        let reading = thread::spawn(move || {
            let mut all: Vec<u8> = vec![];
            while all.len() < expected.len() {
                let mut buf = [0; 1000];
                match far.read(&mut buf) {
                    Ok(n) => all.extend(&buf[..n]),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::Interrupted),
                }
            }
            assert!(all == expected);
        });
        near.write_all(&text).unwrap();
        reading.join().unwrap();
    }
}

#[test]
fn no_more_is_moved_at_once_than_the_manner_says() {
    let (near, mut far) = pipe(100);
    far.write_all(&[7; 50]).unwrap();
    let mut manner = Manner::sound();
    (manner.max_read, manner.max_write) = (3, 5);
    let mut io = Adversarial::new(near, manner);
    assert_eq!(io.read(&mut [0; 10]).unwrap(), 3);
    assert_eq!(io.read(&mut [0; 2]).unwrap(), 2);
    assert_eq!(io.write(&[1; 10]).unwrap(), 5);
    let slices = [[2; 3], [3; 3], [4; 3]];
    assert_eq!(io.write_vectored(&slices.each_ref().map(|slice| IoSlice::new(slice))).unwrap(), 5);
    let mut written = [0; 20];
    let n = far.read(&mut written).unwrap();
    assert_eq!(written[..n], [1, 1, 1, 1, 1, 2, 2, 2, 3, 3]);
}

#[test]
fn a_fault_is_that_of_its_operation() {
    let faults = [
        (What::Zero, Ok(0)),
        (What::Short, Ok(1)),
        (What::Pends, Err(ErrorKind::WouldBlock)),
        (What::Fails(ErrorKind::ConnectionReset), Err(ErrorKind::ConnectionReset)),
    ];
    for (what, expected) in faults {
        for operation in [Operation::Read, Operation::Write] {
            let (near, mut far) = ticking(10);
            far.write_all(b"peer").unwrap();
            let mut manner = Manner::sound();
            manner.fault = Some(Fault { operation, nth: 0, what, lasts: false });
            let mut io = Adversarial::new(near, manner);
            assert!(io.prepare(Some(TICK)).unwrap());
            let mut act = || match operation {
                Operation::Read => io.read(&mut [0; 3]),
                _ => io.write(b"abc"),
            };
            assert_eq!(act().map_err(|error| error.kind()), expected, "{operation:?}, {what:?}");
            assert_eq!(act().unwrap(), 3, "only once");
        }
    }
}

#[test]
fn a_compressing_pair_is_past_a_handshake_that_agreed_on_it() {
    let mut config = Config::default();
    config.limits.head = 4096;
    let (client, server) = connections(&config, &Config::default());
    assert_eq!((client.agreed(), client.state()), (server.agreed(), server.state()));
    #[cfg(feature = "deflate")]
    {
        config.deflate = Some(sotong::Deflate::default());
        let (client, server) = connections(&config, &config);
        assert!(client.agreed().deflate.is_some() && client.agreed() == server.agreed());
        let (client, _) = connections(&config, &Config::default());
        assert_eq!(client.agreed().deflate, None, "both have to be for it");
    }
}

#[test]
fn a_pair_takes_handlers_that_remember() {
    let mut pair = Pair::new(&Config::default());
    let mut count = 0;
    pair.server.react(move |conn, event, tx| {
        if let Event::Text(_) = event {
            count += 1;
            conn.send_text(&count.to_string(), tx).unwrap().queue();
        }
    });
    for _ in 0..3 {
        pair.client.send("again");
    }
    pair.exchange();
    assert_eq!(pair.client.events, ["1", "2", "3"].map(|text| Seen::Text(text.into())));
}

/// Sends each message back until the connection is over, however that comes.
fn echo(mut ws: blocking::WebSocket<Adversarial<Pipe>>) {
    while let Ok(Some((event, mut reply))) = ws.recv_reply() {
        let fed = match event {
            Event::Text(text) => reply.feed(text),
            Event::Binary(bytes) => reply.feed(bytes),
            _ => Ok(()),
        };
        if fed.is_err() {
            break;
        }
    }
}

#[test]
fn a_blocking_echo_stands_every_manner() {
    let mut config = Config::default();
    config.timeouts.handshake = Some(4 * TICK); // which is over, but sets the pace of what pauses
    for manner in [Manner::sound(), Manner::byte_by_byte(), Manner::hesitant(3)]
        .into_iter()
        .chain((0..8).map(Manner::random))
    {
        let (mut client, server) = blocking_pair(&config, manner);
        let serving = thread::spawn(|| echo(server));
        for len in [0, 1, 125, 126, 3000] {
            let bytes = vec![7; len];
            client.send_binary(&bytes).unwrap();
            assert_eq!(client.recv().unwrap(), Some(Event::Binary(&bytes)), "{manner:?}");
        }
        client.close(None).unwrap();
        drop(client);
        serving.join().unwrap();
    }
}

#[cfg(feature = "tokio")]
mod asynchronous {
    use std::io::ErrorKind;
    use std::thread;
    use std::time::Duration;

    use sotong::test_kit::{Adversarial, Fault, Manner, Operation, Pipe, What, pipe, tokio_pair};
    use sotong::tokio::WebSocket;
    use sotong::{Config, Event, blocking};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn paused<T>(work: impl Future<Output = T>) -> T {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().start_paused(true).build().unwrap().block_on(work)
    }

    async fn echo(mut ws: WebSocket<Adversarial<Pipe>>) {
        while let Ok(Some((event, mut reply))) = ws.recv_reply().await {
            let fed = match event {
                Event::Text(text) => reply.feed(text).await,
                Event::Binary(bytes) => reply.feed(bytes).await,
                _ => Ok(()),
            };
            if fed.is_err() {
                break;
            }
        }
    }

    #[test]
    fn a_task_that_waits_is_woken_by_bytes_by_room_and_by_the_end() {
        paused(async {
            let (mut near, mut far) = pipe(1);
            let reading = tokio::spawn(async move {
                let mut all = vec![];
                far.read_to_end(&mut all).await.unwrap();
                all
            });
            near.write_all(b"one by one").await.unwrap();
            near.shutdown().await.unwrap();
            assert_eq!(reading.await.unwrap(), b"one by one");
            assert_eq!(near.write(b"a").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
        });
    }

    #[test]
    fn a_thread_and_a_task_may_have_an_end_each() {
        let (near, far) = pipe(3);
        let serving = thread::spawn(move || {
            let mut ws = blocking::accept(far, Config::default()).unwrap();
            assert_eq!(ws.recv().unwrap(), Some(Event::Text("Hello")));
            ws.close(None).unwrap();
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let request = sotong::handshake::client::Request::default();
            let opened = sotong::tokio::connect_over(near, &request, Config::default());
            let (mut ws, _) = opened.await.unwrap();
            ws.send_text("Hello").await.unwrap();
            assert_eq!(ws.recv().await.unwrap(), Some(Event::Close(None)));
            assert_eq!(ws.recv().await.unwrap(), None);
        });
        serving.join().unwrap();
    }

    #[test]
    fn a_tokio_echo_stands_every_manner() {
        for manner in [Manner::sound(), Manner::byte_by_byte(), Manner::hesitant(3)]
            .into_iter()
            .chain((0..8).map(Manner::random))
        {
            paused(async {
                let (mut client, server) = tokio_pair(&Config::default(), manner);
                let serving = tokio::spawn(echo(server));
                for len in [0, 1, 125, 126, 3000] {
                    let bytes = vec![7; len];
                    client.send_binary(&bytes).await.unwrap();
                    let event = client.recv().await.unwrap();
                    assert_eq!(event, Some(Event::Binary(&bytes)), "{manner:?}");
                }
                client.close(None).await.unwrap();
                drop(client);
                serving.await.unwrap();
            });
        }
    }

    /// Whatever fails at whichever time, both ends come to an end, within their deadlines.
    #[test]
    fn every_fault_of_every_operation_ends_both_ends() {
        use Operation::{Flush, Read, ShutDown, Write};
        let faults = [What::Zero, What::Fails(ErrorKind::ConnectionReset)];
        let operations = [(Read, 6), (Write, 5), (Flush, 5), (ShutDown, 1)];
        for (operation, most) in operations {
            for nth in 0..most {
                for (what, lasts) in
                    faults.into_iter().flat_map(|what| [(what, false), (what, true)])
                {
                    let mut manner = Manner::sound();
                    manner.fault = Some(Fault { operation, nth, what, lasts });
                    paused(async {
                        let (mut client, server) = tokio_pair(&Config::default(), manner);
                        let serving = tokio::spawn(echo(server));
                        let talking = async {
                            for _ in 0..3 {
                                client.send_text("Hello").await?;
                                let text = client.recv().await?;
                                assert!(matches!(text, None | Some(Event::Text("Hello"))));
                            }
                            client.close(None).await
                        };
                        let hour = Duration::from_secs(3600);
                        let talked = tokio::time::timeout(hour, talking).await;
                        assert!(talked.is_ok(), "{manner:?}: it waits for ever");
                        drop(client);
                        let served = tokio::time::timeout(hour, serving).await;
                        assert!(served.is_ok_and(|served| served.is_ok()), "{manner:?}");
                    });
                }
            }
        }
    }
}
