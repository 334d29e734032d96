//! Messages that are masked where they lie: over both adapters the same bytes as those that are not.

use sotong::{Agreed, Config, Role};
use sotong::{blocking, tokio as asynchronous};

use crate::scripted::{hesitant, parts, scripted};
use crate::subject::{Subject, block_on};

#[test]
fn what_is_sent_in_place_is_what_is_sent_from_a_copy() {
    for role in [Role::Server, Role::Client] {
        let subject = Subject { role, config: Config::default(), agreed: Agreed::default() };
        for len in [0, 5, 5000, 300_000] {
            let bytes = vec![0x5a; len];
            for is_slow in [false, true] {
                let stream = || if is_slow { hesitant([b""], 1000) } else { scripted([b""]) };
                let fresh = || parts(stream(), subject.connection());
                let mut copied = blocking::WebSocket::from_parts(fresh()).unwrap();
                copied.send_binary(&bytes).unwrap();
                let expected = copied.stream().inner().written();
                assert!(expected.len() > len);

                let mut ws = blocking::WebSocket::from_parts(fresh()).unwrap();
                ws.send_binary_in_place(&mut bytes.clone()).unwrap();
                assert_eq!(ws.stream().inner().written(), expected, "{role:?}, {len}, blocking");

                let (whole, half) = block_on(async {
                    let mut ws = asynchronous::WebSocket::from_parts(fresh());
                    ws.send_binary_in_place(&mut bytes.clone()).await.unwrap();
                    let whole = ws.stream().inner().written();
                    let ws = asynchronous::WebSocket::from_parts(fresh());
                    let io = ws.stream().clone();
                    let (_receiver, mut sender) = ws.split();
                    sender.send_binary_in_place(&mut bytes.clone()).await.unwrap();
                    (whole, io.inner().written())
                });
                assert_eq!(whole, expected, "{role:?}, {len}, tokio");
                assert_eq!(half, expected, "{role:?}, {len}, tokio halves");
            }
        }
    }
}
