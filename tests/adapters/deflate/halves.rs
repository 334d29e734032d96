//! Compressed messages in both directions at the same time, from two threads or two tasks at each end.

use std::net::{TcpListener, TcpStream};
use std::thread;

use sotong::handshake::client::Request;
use sotong::{Compress, blocking, tokio as asynchronous};

use super::sockets::pairings;
use super::*;
use crate::sockets::{Adapter, nonblocking};
use crate::split::{Load, exercise, exercise_async, size};

/// Numbered messages that repeat each other, small and large, some of them not compressed.
const LOAD: Load = Load {
    messages: 36,
    message: |i| {
        let line = format!("{i}: {LONG}\n");
        let text: Vec<u8> = line.bytes().cycle().take(size(i)).collect();
        [&i.to_be_bytes()[..], &text].concat()
    },
    compress: |i| [Compress::Auto, Compress::Yes, Compress::Auto, Compress::No][i as usize % 4],
};

fn run(adapter: Adapter, role: Role, stream: TcpStream, config: &Config) {
    let request = Request::default();
    match (adapter, role) {
        (Adapter::Blocking, Role::Server) => {
            exercise(blocking::accept(stream, config).unwrap(), LOAD);
        }
        (Adapter::Blocking, Role::Client) => {
            exercise(blocking::connect_over(stream, &request, config).unwrap().0, LOAD);
        }
        (Adapter::Tokio, _) => {
            let builder = &mut tokio::runtime::Builder::new_multi_thread();
            builder.worker_threads(2).enable_all().build().unwrap().block_on(async {
                let stream = nonblocking(stream);
                stream.set_nodelay(true).unwrap();
                let ws = match role {
                    Role::Server => asynchronous::accept(stream, config).await.unwrap(),
                    Role::Client => {
                        asynchronous::connect_over(stream, &request, config).await.unwrap().0
                    }
                };
                exercise_async(ws, LOAD).await;
            });
        }
    }
}

#[test]
fn halves_send_and_receive_compressed_messages_at_the_same_time() {
    let with_context = config(|_| {});
    let without = config(|it| (it.context_takeover, it.peer_context_takeover) = (false, false));
    for config in [with_context, without] {
        for (server, client) in pairings() {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let accepted = listener.accept().unwrap().0;
            thread::scope(|scope| {
                scope.spawn(|| run(server, Role::Server, accepted, &config));
                run(client, Role::Client, stream, &config);
            });
        }
    }
}
