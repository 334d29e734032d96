//! Section 7: the closing handshake; one Close each, and nothing after it.

use sotong::{CloseCode, CloseFrame, ProtocolError, Role};

use super::*;

/// The trace of a connection that the peer closed: its event and our answer.
fn closed(role: Role, event: Seen, reply: &[u8]) -> Trace {
    (vec![event], reply.to_vec(), None, State::Closed, goodbye(role))
}

#[test]
fn an_empty_close_is_answered_by_an_empty_close() {
    let nothing = Seen::Close(None);
    let trace = receive(Role::Server, b"\x88\x80\0\0\0\0");
    assert_eq!(trace, closed(Role::Server, nothing.clone(), b"\x88\x00"));
    let trace = receive(Role::Client, b"\x88\x00");
    assert_eq!(trace, closed(Role::Client, nothing, b"\x88\x80\0\0\0\0"));
}

#[test]
fn a_code_is_echoed_and_a_reason_is_not() {
    let longest = "r".repeat(123);
    let reasons = ["", "bye", "소통", &longest];
    for code in [1000, 1001, 1002, 1003, 1007, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999] {
        for reason in reasons {
            let body = [&u16::to_be_bytes(code), reason.as_bytes()].concat();
            for role in ROLES {
                let trace = receive(role, &frames(role, &[(0x88, &body)]));
                let expected = closed(role, close(code, reason), &close_frame(role, code));
                assert_eq!(trace, expected, "{role:?} {code}");
            }
        }
    }
}

#[test]
fn half_a_code_fails_the_connection() {
    assert_fails(Role::Server, b"\x88\x81\0\0\0\0\x03", ProtocolError::CloseTruncated, 1002);
    assert_fails(Role::Client, b"\x88\x01\x03", ProtocolError::CloseTruncated, 1002);
}

#[test]
fn a_code_that_is_not_for_the_wire_fails_the_connection() {
    let ranges = (0..1000).step_by(FEWER).chain((1016..3000).step_by(FEWER));
    for code in ranges.chain([999, 1004, 1005, 1006, 1015, 2999, 5000, 65_535]) {
        for role in ROLES {
            let bytes = frames(role, &[(0x88, &u16::to_be_bytes(code))]);
            let expected = failed(role, vec![], ProtocolError::CloseCodeForbidden, 1002);
            assert_eq!(End::new(role, &Config::default()).feed([&bytes[..]]), expected, "{code}");
        }
    }
    let bytes = b"\x88\x84\0\0\0\0\x03\xedby";
    assert_fails(Role::Server, bytes, ProtocolError::CloseCodeForbidden, 1002);
}

#[test]
fn a_reason_is_utf8() {
    let error = ProtocolError::ReasonNotUtf8;
    assert_fails(Role::Server, b"\x88\x84\0\0\0\0\x03\xe8\xc3\x28", error, 1007);
    assert_fails(Role::Client, b"\x88\x04\x03\xe8\xc3\x28", error, 1007);
    assert_fails(Role::Client, b"\x88\x04\x03\xe8\xe2\x82", error, 1007);
}

#[test]
fn a_reason_of_124_bytes_makes_a_control_frame_too_long() {
    let body = [&b"\x03\xe8"[..], &[b'r'; 124]].concat();
    for role in ROLES {
        let bytes = frames(role, &[(0x88, &body)]);
        assert_fails(role, &bytes, ProtocolError::ControlTooLong, 1002);
    }
}

#[test]
fn whatever_comes_behind_a_close_is_ignored() {
    let late: [&[(u8, &[u8])]; 6] = [
        &[(0x81, b"late")],
        &[(0x89, b"late")],
        &[(0x88, b"")],
        &[(0x88, b"\x03\xe9")],
        &[(0xff, b""), (0x83, b"")],
        &[(0x01, b"\xff"), (0x81, b"")],
    ];
    for role in ROLES {
        for list in late {
            let bytes = [frames(role, &[(0x88, b"\x03\xe8")]), frames(role, list)].concat();
            let expected = closed(role, close(1000, ""), &close_frame(role, 1000));
            assert_eq!(receive(role, &bytes), expected, "{role:?} {list:?}");
            let mut end = End::new(role, &Config::default());
            let endless = [&bytes[..], &vec![0; 100_000]].concat();
            assert_eq!(end.feed([&endless[..]]), expected);
            assert!(end.rx.is_empty());
            assert_eq!(end.conn.handle_eof(), Ok(()));
            assert_eq!((end.conn.transport(), end.drain()), (Transport::Close, vec![]));
        }
    }
}

#[test]
fn our_close_is_answered_by_the_peers_and_not_by_us_again() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        let frame = CloseFrame { code: CloseCode::GOING_AWAY, reason: "가" };
        end.conn.close(Some(frame), &mut end.tx).unwrap().queue();
        let ours: &[u8] = match role {
            Role::Server => b"\x88\x05\x03\xe9\xea\xb0\x80",
            Role::Client => b"\x88\x85\0\0\0\0\x03\xe9\xea\xb0\x80",
        };
        assert_eq!((end.drain(), end.conn.state()), (ours.to_vec(), State::Closing));
        assert_eq!(end.conn.transport(), Transport::Keep);
        let answer = frames(role, &[(0x88, b"\x03\xe9")]);
        assert_eq!(end.feed([&answer[..]]), closed(role, close(1001, ""), b""));
    }
}

#[test]
fn messages_arrive_between_our_close_and_the_peers() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        end.conn.close(None, &mut end.tx).unwrap().queue();
        end.drain();
        let late = frames(role, &[(0x01, b"la"), (0x8a, b"!"), (0x80, b"te"), (0x82, b"r")]);
        let events = vec![pong(b"!"), text("late"), binary(b"r")];
        let expected = (events, vec![], None, State::Closing, Transport::Keep);
        assert_eq!(end.feed([&late[..]]), expected);
        let answer = frames(role, &[(0x88, b"")]);
        assert_eq!(end.feed([&answer[..]]), closed(role, Seen::Close(None), b""));
    }
}

#[test]
fn a_fault_behind_our_close_fails_the_connection_without_a_second_close() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        end.conn.close(Some(CloseCode::NORMAL.into()), &mut end.tx).unwrap().queue();
        assert_eq!(end.drain(), close_frame(role, 1000));
        let (error, bytes) = (ProtocolError::TextNotUtf8, frames(role, &[(0x81, b"\xff")]));
        let expected = (vec![], vec![], Some(error), State::Closed, goodbye(role));
        assert_eq!(end.feed([&bytes[..]]), expected);
    }
}

#[test]
fn a_close_within_a_fragmented_message_ends_it_and_drops_the_part() {
    for role in ROLES {
        let list = [(0x01, &b"par"[..]), (0x88, b"\x03\xe8"), (0x80, b"t")];
        let expected = closed(role, close(1000, ""), &close_frame(role, 1000));
        assert_eq!(receive(role, &frames(role, &list)), expected);
    }
}

#[test]
fn a_close_that_has_come_and_is_not_answered_yet_is_closing() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        fill(&mut end.rx, &frames(role, &[(0x88, b"")]));
        assert_eq!(end.conn.next_event(&mut end.rx).map(|e| e.is_some()), Ok(true));
        assert_eq!((end.conn.state(), end.conn.transport()), (State::Closing, Transport::Keep));
        end.drain();
        assert_eq!(end.conn.state(), State::Closed);
        assert_eq!(end.conn.handle_eof(), Ok(()), "the end is clean");
    }
}

#[test]
fn a_stream_that_ends_behind_our_close_only_is_abnormal() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        end.conn.close(None, &mut end.tx).unwrap().queue();
        end.drain();
        assert_eq!(end.conn.handle_eof(), Err(ProtocolError::UnexpectedEof));
        assert_eq!((end.conn.state(), end.conn.transport()), (State::Closed, Transport::Close));
    }
}

#[test]
fn a_close_of_the_peer_with_a_full_queue_is_still_answered() {
    let mut config = Config::default();
    config.limits.send_queue = 10;
    let mut end = End::new(Role::Server, &config);
    end.conn.send_binary(&[1; 20], &mut end.tx).unwrap().queue();
    fill(&mut end.rx, &frames(Role::Server, &[(0x89, b"?"), (0x88, b"\x03\xe8")]));
    while end.conn.next_event(&mut end.rx).unwrap().is_some() {}
    end.conn.poll_transmit(&mut end.tx);
    assert_eq!(end.drain()[22..], *b"\x8a\x01?\x88\x02\x03\xe8", "the ping came before the Close");
    assert_eq!(end.drain(), b"");
}
