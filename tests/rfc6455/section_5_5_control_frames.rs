//! Section 5.5: control frames are short, whole, and answered.

use sotong::{ProtocolError, Role};

use super::*;

#[test]
fn more_than_125_bytes_fail_the_connection() {
    // (to a server, to a client)
    let table: [(&[u8], &[u8]); 6] = [
        (b"\x89\xfe\x00\x7e\0\0\0\0", b"\x89\x7e\x00\x7e"),
        (b"\x88\xfe\x00\x7e", b"\x88\x7e\x00\x7e"),
        (b"\x8a\xff\0\0\0\0\0\0\xff\xff", b"\x8a\x7f\0\0\0\0\0\0\xff\xff"),
        (b"\x89\xfe", b"\x89\x7e"),
        (b"\x88\xff", b"\x88\x7f"),
        (b"\x8a\xfe\x00\x05", b"\x8a\x7e\x00\x05"),
    ];
    for (to_server, to_client) in table {
        assert_fails(Role::Server, to_server, ProtocolError::ControlTooLong, 1002);
        assert_fails(Role::Client, to_client, ProtocolError::ControlTooLong, 1002);
    }
}

#[test]
fn a_fragmented_control_frame_fails_the_connection() {
    for first in [0x09, 0x08, 0x0a] {
        let error = ProtocolError::ControlFragmented;
        assert_fails(Role::Server, &[first, 0x80, 0, 0, 0, 0], error, 1002);
        assert_fails(Role::Client, &[first, 0x00], error, 1002);
        let within = [frames(Role::Client, &[(0x01, b"a")]), vec![first, 0x00]].concat();
        assert_fails(Role::Client, &within, error, 1002);
    }
}

#[test]
fn a_ping_is_answered_with_its_payload() {
    for len in [0, 1, 4, 124, 125] {
        let body: Vec<u8> = (0..len).map(|i| 255 - i).collect();
        let pinged = frame(0x89, Some([9, 8, 7, 6]), &body);
        let answer = frame(0x8a, None, &body);
        assert_eq!(receive(Role::Server, &pinged), open(vec![ping(&body)], &answer));

        let pinged = frame(0x89, None, &body);
        let answer = frame(0x8a, Some([0; 4]), &body);
        assert_eq!(receive(Role::Client, &pinged), open(vec![ping(&body)], &answer));
    }
}

#[test]
fn a_pong_answers_only_the_latest_ping() {
    for (role, answer) in
        [(Role::Server, &b"\x8a\x05third"[..]), (Role::Client, b"\x8a\x85\0\0\0\0third")]
    {
        let mut end = End::new(role, &Config::default());
        fill(&mut end.rx, &frames(role, &[(0x89, b"first"), (0x89, b""), (0x89, b"third")]));
        while end.conn.next_event(&mut end.rx).unwrap().is_some() {}
        assert_eq!((end.drain(), end.drain()), (answer.to_vec(), vec![]), "{role:?}");
    }
}

#[test]
fn a_reading_half_owes_only_the_latest_pong() {
    let End { conn, mut rx, mut tx } = End::new(Role::Server, &Config::default());
    let (mut incoming, mut outgoing) = conn.split();
    assert_eq!(
        (incoming.is_closed(), incoming.has_reply(), outgoing.is_due()),
        (false, false, false)
    );
    fill(&mut rx, &frames(Role::Server, &[(0x89, b"first"), (0x89, b"2nd"), (0x88, b"")]));
    while incoming.next_event(&mut rx).unwrap().is_some() {}
    assert!(incoming.has_reply());
    outgoing.answer(&mut incoming);
    assert_eq!((incoming.has_reply(), outgoing.is_due()), (false, true));
    outgoing.poll_transmit(&mut tx);
    assert_eq!(tx.transmit().slices()[0], b"\x8a\x032nd\x88\x00");
    assert_eq!((incoming.is_closed(), outgoing.state()), (true, State::Closed));
}

#[test]
fn a_pong_goes_out_with_the_next_message_too() {
    let mut end = End::new(Role::Server, &Config::default());
    fill(&mut end.rx, &frames(Role::Server, &[(0x89, b"?")]));
    end.conn.next_event(&mut end.rx).unwrap();
    end.conn.send_text("a", &mut end.tx).unwrap().queue();
    assert_eq!(end.drain(), b"\x8a\x01?\x81\x01a");
}

#[test]
fn a_pong_is_seen_and_not_answered() {
    for role in ROLES {
        let bytes = frames(role, &[(0x8a, b"unasked"), (0x8a, b""), (0x8a, b"unasked")]);
        let events = vec![pong(b"unasked"), pong(b""), pong(b"unasked")];
        assert_eq!(receive(role, &bytes), open(events, b""));
    }
}

#[test]
fn a_ping_before_a_close_is_answered_before_it() {
    let mut end = End::new(Role::Server, &Config::default());
    fill(&mut end.rx, &frames(Role::Server, &[(0x89, b"?"), (0x88, b"\x03\xe8")]));
    while end.conn.next_event(&mut end.rx).unwrap().is_some() {}
    assert_eq!(end.drain(), b"\x8a\x01?\x88\x02\x03\xe8");
}

#[test]
fn pings_are_answered_behind_our_close_and_not_behind_the_peers() {
    let answers = [(Role::Server, &b"\x8a\x01?"[..]), (Role::Client, b"\x8a\x81\0\0\0\0?")];
    for (role, answer) in answers {
        let mut end = End::new(role, &Config::default());
        end.conn.close(None, &mut end.tx).unwrap().queue();
        end.drain();
        let pinged = frames(role, &[(0x89, b"?")]);
        let answer = answer.to_vec();
        let expected = (vec![ping(b"?")], answer, None, State::Closing, Transport::Keep);
        assert_eq!(end.feed([&pinged[..]]), expected);

        fill(&mut end.rx, &frames(role, &[(0x89, b"?"), (0x88, b"")]));
        while end.conn.next_event(&mut end.rx).unwrap().is_some() {}
        assert_eq!((end.drain(), end.conn.state()), (vec![], State::Closed));
    }
}
