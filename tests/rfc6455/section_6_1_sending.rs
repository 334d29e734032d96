//! Section 6.1: what is sent, what may not be sent, and that nothing of it gets lost or half sent.

use sotong::{Agreed, CloseCode, CloseFrame, Config, Connection, Payload, Prepared, Role};
use sotong::{SendBuffer, SendError};

use super::*;

#[test]
fn each_command_makes_one_frame() {
    let expected: [(Role, &[u8]); 2] = [
        (Role::Server, b"\x81\x01a\x82\x01b\x01\x00\x00\x01c\x80\x01d\x89\x01e\x8a\x00\x88\x00"),
        (
            Role::Client,
            b"\x81\x81\0\0\0\0a\x82\x81\0\0\0\0b\x01\x80\0\0\0\0\x00\x81\0\0\0\0c\x80\x81\0\0\0\0d\
              \x89\x81\0\0\0\0e\x8a\x80\0\0\0\0\x88\x80\0\0\0\0",
        ),
    ];
    for (role, expected) in expected {
        let mut end = End::new(role, &Config::default());
        let (conn, tx) = (&mut end.conn, &mut end.tx);
        conn.send_text("a", tx).unwrap().queue();
        conn.send_binary(b"b", tx).unwrap().queue();
        conn.send_fragment("", false, tx).unwrap().queue();
        conn.send_fragment("c", false, tx).unwrap().queue();
        conn.send_fragment("d", true, tx).unwrap().queue();
        conn.ping(b"e", tx).unwrap().queue();
        conn.pong(b"", tx).unwrap().queue();
        conn.close(None, tx).unwrap().queue();
        assert_eq!(end.drain(), expected, "{role:?}");
    }
}

/// Around each form of the length; an interpreter, which is slow, does without the last.
const LENGTHS: &[usize] = if cfg!(miri) {
    &[0, 1, 125, 126, 1000]
} else {
    &[0, 1, 125, 126, 1000, 65_535, 65_536, 100_000]
};

#[test]
fn a_message_that_is_masked_where_it_lies_is_the_same_on_the_wire() {
    for role in ROLES {
        for &len in LENGTHS {
            let bytes: Vec<u8> = (0..len).map(|i| i as u8).collect();
            let key = || Some([1, 2, 3, 4]);
            let mut conn = match role {
                Role::Server => Connection::server(Config::default(), Agreed::default()),
                Role::Client => Connection::client(Config::default(), Agreed::default(), key),
            };
            let (mut tx, mut in_place) = (SendBuffer::new(), bytes.clone());
            let transmit = conn.send_binary(&bytes, &mut tx).unwrap();
            let expected = transmit.slices().concat();
            let mut tx = SendBuffer::new();
            let mut transmit = conn.send_binary_in_place(&mut in_place, &mut tx).unwrap();
            let [header, payload] = transmit.slices();
            assert_eq!([header, payload].concat(), expected, "{role:?}, {len}");
            assert_eq!(payload.len(), len, "nothing is copied");
            // Half is written, the rest is queued: it went out once, and in order.
            let half = transmit.len() / 2;
            transmit.consume(half);
            transmit.queue();
            assert_eq!(tx.transmit().slices().concat(), expected[half..]);
            assert_eq!(in_place == bytes, role == Role::Server || len == 0);
        }
    }
}

#[test]
fn a_message_that_may_not_be_sent_is_not_masked() {
    let mut end = End::new(Role::Client, &Config::default());
    let (conn, tx) = (&mut end.conn, &mut end.tx);
    let mut bytes = *b"bytes";
    conn.send_fragment("a", false, tx).unwrap().queue();
    let sent = conn.send_binary_in_place(&mut bytes, tx).map(|_| ());
    assert_eq!(sent, Err(SendError::MessageUnfinished));
    conn.close(None, tx).unwrap().queue();
    let sent = conn.send_binary_in_place(&mut bytes, tx).map(|_| ());
    assert_eq!(sent, Err(SendError::Closing));
    let mut conn = Connection::client(Config::default(), Agreed::default(), || None);
    let sent = conn.send_binary_in_place(&mut bytes, &mut SendBuffer::new()).map(|_| ());
    assert_eq!(sent, Err(SendError::NoMaskingKey));
    assert_eq!(&bytes, b"bytes");
}

#[test]
fn between_fragments_only_their_message_and_control_frames_are_sent() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        let (conn, tx) = (&mut end.conn, &mut end.tx);
        conn.send_fragment("a", false, tx).unwrap().queue();
        let queued = tx.len();
        let unfinished = Some(SendError::MessageUnfinished);
        assert_eq!(conn.send_text("b", tx).err(), unfinished);
        assert_eq!(conn.send_binary(b"b", tx).err(), unfinished);
        assert_eq!(conn.send(Payload::text("b"), tx).err(), unfinished);
        assert_eq!(conn.send_prepared(&Prepared::new("b"), tx).err(), unfinished);
        assert_eq!(conn.send_fragment(b"b", false, tx).err(), unfinished);
        assert_eq!(conn.send_fragment(b"b", true, tx).err(), unfinished);
        assert_eq!(tx.len(), queued);
        conn.ping(b"", tx).unwrap().queue();
        conn.send_fragment("c", true, tx).unwrap().queue();
        conn.send_binary(b"d", tx).unwrap().queue();
        let sent = [(0x01, &b"a"[..]), (0x89, b""), (0x80, b"c"), (0x82, b"d")];
        let peer = if role == Role::Client { Role::Server } else { Role::Client };
        assert_eq!(end.drain(), frames(peer, &sent), "{role:?}");
    }
}

#[test]
fn a_control_frame_of_ours_has_at_most_125_bytes() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        let (conn, tx) = (&mut end.conn, &mut end.tx);
        let too_long = Some(SendError::ControlTooLong);
        assert_eq!(conn.ping(&[0; 126], tx).err(), too_long);
        assert_eq!(conn.pong(&[0; 126], tx).err(), too_long);
        let reason = "r".repeat(124);
        let frame = CloseFrame { code: CloseCode::NORMAL, reason: &reason };
        assert_eq!(conn.close(Some(frame), tx).err(), too_long);
        assert_eq!((tx.len(), conn.state()), (0, State::Open));
        assert_eq!(conn.ping(&[0; 125], tx).map(|t| t.len() >= 127), Ok(true));
        assert_eq!(conn.pong(&[0; 125], tx).map(|t| t.len() >= 254), Ok(true));
        let frame = CloseFrame { code: CloseCode::NORMAL, reason: &reason[1..] };
        assert_eq!(conn.close(Some(frame), tx).map(|t| t.len() >= 381), Ok(true));
    }
}

#[test]
fn a_close_code_that_is_not_for_the_wire_is_not_sent() {
    for code in [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65_535] {
        let mut end = End::new(Role::Server, &Config::default());
        let refused = end.conn.close(Some(CloseCode(code).into()), &mut end.tx).err();
        assert_eq!(refused, Some(SendError::CloseCodeForbidden), "{code}");
        assert_eq!((end.tx.len(), end.conn.state()), (0, State::Open));
        end.conn.send_text("on", &mut end.tx).unwrap().queue();
        assert_eq!(end.drain(), b"\x81\x02on");
    }
}

#[test]
fn nothing_is_sent_behind_a_close() {
    let closings: [fn(&mut End, Role); 3] = [
        |end, _| end.conn.close(None, &mut end.tx).unwrap().queue(),
        |end, role| drop(end.feed([&frames(role, &[(0x88, b"")])[..]])),
        |end, _| drop(end.feed([&b"\xff\xff"[..]])),
    ];
    for (role, closing) in ROLES.into_iter().flat_map(|role| closings.map(|c| (role, c))) {
        let mut end = End::new(role, &Config::default());
        closing(&mut end, role);
        end.drain();
        let (conn, tx) = (&mut end.conn, &mut end.tx);
        let closing = Some(SendError::Closing);
        assert_eq!(conn.send_text("a", tx).err(), closing);
        assert_eq!(conn.send_binary(b"a", tx).err(), closing);
        assert_eq!(conn.send_fragment("a", true, tx).err(), closing);
        assert_eq!(conn.send_prepared(&Prepared::new("a"), tx).err(), closing);
        assert_eq!(conn.ping(b"", tx).err(), closing);
        assert_eq!(conn.pong(b"", tx).err(), closing);
        assert_eq!(conn.close(None, tx).err(), closing);
        assert_eq!(end.drain(), b"");
    }
}

#[test]
fn nothing_is_sent_once_the_stream_has_ended() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        assert_eq!(end.conn.handle_eof(), Err(ProtocolError::UnexpectedEof));
        assert_eq!(end.conn.send_text("a", &mut end.tx).err(), Some(SendError::Closing));
        assert_eq!(end.conn.close(None, &mut end.tx).err(), Some(SendError::Closing));
        assert_eq!(end.drain(), b"");
    }
}

#[test]
fn a_reply_that_is_due_closes_the_way_for_messages_at_once() {
    let mut end = End::new(Role::Server, &Config::default());
    fill(&mut end.rx, b"\x88\x80\0\0\0\0");
    end.conn.next_event(&mut end.rx).unwrap();
    assert_eq!(end.conn.send_text("a", &mut end.tx).err(), Some(SendError::Closing));
    assert_eq!((end.drain(), end.drain()), (b"\x88\x00".to_vec(), vec![]));
}

#[test]
fn the_queue_takes_nothing_more_at_its_mark_and_a_close_all_the_same() {
    let mut config = Config::default();
    config.limits.send_queue = 100;
    for (role, header) in [(Role::Server, 2), (Role::Client, 6)] {
        let mut end = End::new(role, &config);
        let (conn, tx) = (&mut end.conn, &mut end.tx);
        conn.send_binary(&[0; 99][header..], tx).unwrap().queue();
        assert_eq!(tx.len(), 99);
        conn.send_binary(&[0; 50], tx).unwrap().queue();
        let (queued, full) = (tx.len(), Some(SendError::QueueFull));
        assert_eq!(queued, 149 + header);
        assert_eq!(conn.send_text("a", tx).err(), full);
        assert_eq!(conn.send_fragment("a", true, tx).err(), full);
        assert_eq!(conn.send_prepared(&Prepared::new("a"), tx).err(), full);
        assert_eq!(conn.ping(b"", tx).err(), full);
        assert_eq!(tx.len(), queued);
        tx.transmit().consume(queued - 100);
        assert_eq!(conn.ping(b"", tx).err(), full, "it stands at the mark");
        tx.transmit().consume(1);
        conn.ping(b"", tx).unwrap().queue();
        let queued = tx.len();
        conn.close(None, tx).unwrap().queue();
        assert_eq!(tx.len(), queued + header);
    }
}

#[test]
fn a_large_payload_of_a_server_is_lent_and_not_copied() {
    let payload = vec![7; 100_000];
    let mut end = End::new(Role::Server, &Config::default());
    let transmit = end.conn.send_binary(&payload, &mut end.tx).unwrap();
    let [queue, tail] = transmit.slices();
    assert_eq!(queue, b"\x82\x7f\0\0\0\0\0\x01\x86\xa0");
    assert!(std::ptr::eq(tail, &payload[..]));
    assert_eq!((transmit.len(), transmit.is_empty()), (100_010, false));
    drop(transmit);
    assert_eq!(end.tx.len(), 100_010);

    let mut end = End::new(Role::Client, &Config::default());
    let transmit = end.conn.send_binary(&payload, &mut end.tx).unwrap();
    assert_eq!(transmit.slices().map(<[u8]>::len), [100_014, 0]);
}

#[test]
fn a_prepared_message_is_lent_by_every_server_and_masked_by_a_client() {
    let prepared = [Prepared::new("소통"), Prepared::new(b"\x01")];
    let wire: [&[u8]; 2] = [b"\x81\x06\xec\x86\x8c\xed\x86\xb5", b"\x82\x01\x01"];
    let masked: [&[u8]; 2] = [b"\x81\x86\0\0\0\0\xec\x86\x8c\xed\x86\xb5", b"\x82\x81\0\0\0\0\x01"];
    for ((prepared, wire), masked) in prepared.iter().zip(wire).zip(masked) {
        let mut servers = [(); 2].map(|()| End::new(Role::Server, &Config::default()));
        let lent = servers.each_mut().map(|end| {
            let transmit = end.conn.send_prepared(prepared, &mut end.tx).unwrap();
            assert_eq!(transmit.slices(), [b"", wire]);
            transmit.slices()[1].as_ptr()
        });
        assert_eq!(lent[0], lent[1], "the same bytes go to both");
        assert_eq!(servers.map(|mut end| end.drain()), [wire, wire]);

        let mut client = End::new(Role::Client, &Config::default());
        client.conn.send_prepared(prepared, &mut client.tx).unwrap().queue();
        assert_eq!(client.drain(), masked);
    }
}

#[test]
fn whatever_of_a_transmit_went_out_the_rest_follows_once() {
    let payload: Vec<u8> = (0..5000u32).map(|i| (i % 251) as u8).collect();
    let mut expected = b"\x81\x05first\x82\x7e\x13\x88".to_vec();
    expected.extend(&payload);
    expected.extend(b"\x81\x04last");
    for first in [0, 1, 6, 7, 8, 10, 11, 12, 2500, 5010, 5011] {
        for second in [0, 1, 4, 5000] {
            let mut end = End::new(Role::Server, &Config::default());
            end.conn.send_text("first", &mut end.tx).unwrap().queue();
            let mut transmit = end.conn.send_binary(&payload, &mut end.tx).unwrap();
            let mut wire = vec![];
            for step in [first, second] {
                let all = transmit.slices().concat();
                let n = step.min(all.len());
                wire.extend(&all[..n]);
                transmit.consume(n);
            }
            drop(transmit);
            assert_eq!(end.tx.sent(), wire.len() as u64);
            end.conn.send_text("last", &mut end.tx).unwrap().queue();
            wire.extend(end.drain());
            assert!(wire == expected, "{first}, {second}");
        }
    }
}

#[test]
fn a_queue_that_never_runs_empty_keeps_its_order() {
    let mut config = Config::default();
    config.limits.send_queue = usize::MAX;
    for step in [1, 4099 / FEWER, 20_000 / FEWER, 33_000 / FEWER] {
        let mut end = End::new(Role::Server, &config);
        let (mut expected, mut wire) = (vec![], vec![]);
        for n in 0..100u32 {
            let payload = n.to_be_bytes().repeat(1000 / FEWER);
            expected.extend(frame(0x82, None, &payload));
            end.conn.send_binary(&payload, &mut end.tx).unwrap().queue();
            let mut transmit = end.tx.transmit();
            let n = step.min(transmit.len() - 1);
            wire.extend(&transmit.slices()[0][..n]);
            transmit.consume(n);
        }
        assert_eq!(end.tx.sent(), wire.len() as u64);
        wire.extend(end.drain());
        assert!(wire == expected, "by {step}");
    }
}

/// So that a header is not written alone, and a large payload is not copied.
#[test]
fn for_a_stream_that_writes_one_slice_the_first_one_is_as_long_as_a_record_of_tls() {
    // (payload, bytes that the first write took, first slice, second slice)
    let table = [
        (5_000, 0, 5_004, 0),
        (16_380, 0, 16_384, 0),
        (16_381, 0, 16_384, 1),
        (100_000, 0, 16_384, 100_010 - 16_384),
        (5_000, 1_000, 0, 4_004),
    ];
    for (len, written, first, second) in table {
        let payload: Vec<u8> = (0..len).map(|i| i as u8).collect();
        let mut end = End::new(Role::Server, &Config::default());
        let mut transmit = end.conn.send_binary(&payload, &mut end.tx).unwrap();
        transmit.consume(written);
        let lent = transmit.slices().concat();
        transmit.join_beginning();
        assert_eq!(transmit.slices().map(<[u8]>::len), [first, second]);
        assert_eq!(transmit.slices().concat(), lent);
        drop(transmit);
        assert_eq!((end.tx.len(), end.tx.sent()), (lent.len(), written as u64));
    }
    let mut end = End::new(Role::Server, &Config::default());
    end.conn.send_binary(&[7; 20_000], &mut end.tx).unwrap().queue();
    let mut transmit = end.conn.send_binary(&[8; 20_000], &mut end.tx).unwrap();
    transmit.join_beginning();
    assert_eq!(transmit.slices().map(<[u8]>::len), [20_008, 20_000], "there is enough to write");
}

#[test]
fn lengths_are_sent_in_their_shortest_form() {
    // (length, second byte and extended length, without the mask bit)
    let table: [(usize, &[u8]); 9] = [
        (0, b"\x00"),
        (1, b"\x01"),
        (125, b"\x7d"),
        (126, b"\x7e\x00\x7e"),
        (127, b"\x7e\x00\x7f"),
        (256, b"\x7e\x01\x00"),
        (65_535, b"\x7e\xff\xff"),
        (65_536, b"\x7f\0\0\0\0\0\x01\0\0"),
        (65_537, b"\x7f\0\0\0\0\0\x01\0\x01"),
    ];
    for (len, form) in table {
        let payload = vec![7; len];
        for role in ROLES {
            let mut form = form.to_vec();
            if role == Role::Client {
                form[0] |= 0x80;
                form.extend([0; 4]);
            }
            let mut end = End::new(role, &Config::default());
            end.conn.send_binary(&payload, &mut end.tx).unwrap().queue();
            assert!(end.drain() == [&[0x82], &form[..], &payload].concat(), "{role:?} {len}");
        }
        let mut end = End::new(Role::Server, &Config::default());
        end.conn.send_prepared(&Prepared::new(&payload[..]), &mut end.tx).unwrap().queue();
        assert!(end.drain() == [&[0x82], form, &payload].concat(), "prepared {len}");
    }
}
