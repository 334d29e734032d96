//! Section 5.4: a message in fragments, and what may stand between them.

use sotong::{Chunk, Event, ProtocolError, Role};

use super::*;

/// First bytes and payloads.
type Frames<'a> = &'a [(u8, &'a [u8])];

#[test]
fn fragments_are_joined_in_order() {
    let table: [(Frames<'_>, Seen); 6] = [
        (&[(0x01, b"Hel"), (0x80, b"lo")], text("Hello")),
        (&[(0x02, b"Hel"), (0x80, b"lo")], binary(b"Hello")),
        (&[(0x01, b"H"), (0x00, b"e"), (0x00, b"l"), (0x00, b"l"), (0x80, b"o")], text("Hello")),
        (&[(0x01, b""), (0x00, b"Hello"), (0x80, b"")], text("Hello")),
        (&[(0x01, b""), (0x00, b""), (0x80, b"")], text("")),
        (&[(0x02, b"\xff"), (0x80, b"\xfe")], binary(b"\xff\xfe")),
    ];
    for role in ROLES {
        for (list, expected) in &table {
            let trace = receive(role, &frames(role, list));
            assert_eq!(trace, open(vec![expected.clone()], b""), "{role:?} {list:?}");
        }
    }
}

#[test]
fn control_frames_between_fragments_are_seen_at_once_and_leave_the_message_whole() {
    let between = [(0x01, &b"Hel"[..]), (0x89, b"now"), (0x8a, b"yes"), (0x00, b"l"), (0x89, b"")];
    let replies = [
        (Role::Server, &b"\x8a\x03now\x8a\x00"[..]),
        (Role::Client, b"\x8a\x83\0\0\0\0now\x8a\x80\0\0\0\0"),
    ];
    for (role, replies) in replies {
        let mut end = End::new(role, &Config::default());
        let controls = vec![ping(b"now"), pong(b"yes"), ping(b"")];
        assert_eq!(end.feed([&frames(role, &between)[..]]), open(controls, replies));
        let rest = frames(role, &[(0x80, b"o")]);
        assert_eq!(end.feed([&rest[..]]), open(vec![text("Hello")], b""));
    }
}

#[test]
fn a_continuation_needs_an_open_message() {
    let error = ProtocolError::NothingToContinue;
    for first in [0x80, 0x00] {
        assert_fails(Role::Server, &[first, 0x80, 0, 0, 0, 0], error, 1002);
        assert_fails(Role::Server, &[first, 0x85], error, 1002);
        assert_fails(Role::Client, &[first, 0x00], error, 1002);
    }
}

#[test]
fn a_continuation_behind_the_last_fragment_has_nothing_to_continue() {
    let messages: [&[(u8, &[u8])]; 3] =
        [&[(0x81, b"a")], &[(0x01, b""), (0x80, b"a")], &[(0x89, b""), (0x81, b"a")]];
    for role in ROLES {
        for message in messages {
            let bytes = [frames(role, message), frames(role, &[(0x80, b"b")])].concat();
            let (events, _, error, ..) = receive(role, &bytes);
            assert_eq!(events.last(), Some(&text("a")));
            assert_eq!(error, Some(ProtocolError::NothingToContinue));
        }
    }
}

#[test]
fn a_message_may_not_start_within_another() {
    let error = ProtocolError::MessageUnfinished;
    assert_fails(Role::Server, b"\x01\x81\0\0\0\0a\x81\x81\0\0\0\0b", error, 1002);
    for first in [0x01, 0x02] {
        for second in [0x81, 0x82, 0x01, 0x02] {
            for role in ROLES {
                assert_fails(role, &frames(role, &[(first, b"a"), (second, b"b")]), error, 1002);
                assert_fails(role, &frames(role, &[(first, b""), (second, b"")]), error, 1002);
            }
        }
    }
}

#[test]
fn messages_of_both_kinds_follow_each_other_fragmented_or_not() {
    for role in ROLES {
        let bytes = frames(
            role,
            &[(0x01, b"a"), (0x80, b"b"), (0x82, b"c"), (0x02, b"d"), (0x80, b"e"), (0x81, b"f")],
        );
        let events = vec![text("ab"), binary(b"c"), binary(b"de"), text("f")];
        assert_eq!(receive(role, &bytes), open(events, b""));
    }
}

#[test]
fn to_look_tells_whether_something_is_there_and_takes_nothing() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        let (conn, rx) = (&mut end.conn, &mut end.rx);
        assert_eq!((conn.advance(rx), conn.advance_chunk(rx)), (Ok(false), Ok(false)));
        fill(rx, &frames(role, &[(0x02, b"Hel")]));
        assert_eq!((conn.advance_chunk(rx), conn.advance_chunk(rx)), (Ok(true), Ok(true)));
        let piece = Chunk::Binary { piece: b"Hel", last: false };
        assert_eq!(conn.next_chunk(rx), Ok(Some(piece)));
        assert_eq!((conn.advance_chunk(rx), conn.advance(rx)), (Ok(false), Ok(false)));
        fill(rx, &frames(role, &[(0x80, b"lo")]));
        assert_eq!((conn.advance(rx), conn.advance(rx)), (Ok(true), Ok(true)));
        assert_eq!(conn.next_event(rx), Ok(Some(Event::Binary(b"lo"))));
        assert_eq!((conn.advance(rx), conn.advance_chunk(rx)), (Ok(false), Ok(false)));
    }
}

#[test]
fn what_was_gathered_for_a_whole_message_is_a_piece_of_it_as_long_as_there_is_no_close() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        let (conn, rx) = (&mut end.conn, &mut end.rx);
        let piece = |piece| Ok(Some(Chunk::Text { piece, last: false }));
        fill(rx, &frames(role, &[(0x01, b"Hel")]));
        assert_eq!(conn.next_event(rx), Ok(None));
        assert_eq!(conn.advance_chunk(rx), Ok(true));
        assert_eq!(conn.next_chunk(rx), piece("Hel"));
        assert_eq!(conn.next_chunk(rx), Ok(None));
        // A control frame that was found before comes before it.
        fill(rx, &frames(role, &[(0x00, b"l"), (0x89, b"?")]));
        assert_eq!(conn.advance(rx), Ok(true));
        assert_eq!(conn.next_chunk(rx), Ok(Some(Chunk::Ping(b"?"))));
        assert_eq!(conn.next_chunk(rx), piece("l"));
        fill(rx, &frames(role, &[(0x00, b"o"), (0x88, b"")]));
        assert_eq!(conn.next_event(rx), Ok(Some(Event::Close(None))));
        assert_eq!(conn.next_chunk(rx), Ok(None));
    }
}
