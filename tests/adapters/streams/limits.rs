//! Messages that are larger than what may be held (RFC 6455, section 10.4).

use sotong::{Error, ProtocolError};

use super::*;
use crate::scripted::masked;

/// Messages of up to 1,000 bytes, and in pieces of up to `in_pieces`.
fn config(in_pieces: Option<u64>) -> Config {
    let mut config = Config::default();
    (config.limits.message, config.limits.frame, config.limits.fragments) = (1_000, 900, 5);
    config.limits.in_pieces = in_pieces;
    config
}

/// A binary message of `len` bytes in frames of `step`.
fn message(len: usize, step: usize) -> Vec<u8> {
    let payload: Vec<u8> = (0..len).map(|i| i as u8).collect();
    let frames = payload.chunks(step).enumerate().map(|(i, part)| {
        let fin = if (i + 1) * step >= len { 0x80 } else { 0 };
        masked(if i == 0 { fin | 2 } else { fin }, part)
    });
    frames.collect::<Vec<_>>().concat()
}

/// How long the message is that comes, or what is wrong with it.
fn read(end: &mut dyn End) -> Result<usize, ProtocolError> {
    let rule = |error: &io::Error| broken_rule(error).expect("it is the peer's fault");
    match end.take_message(100, usize::MAX) {
        Ok(Some((_, bytes, Ok(())))) => {
            assert!(bytes.iter().enumerate().all(|(i, octet)| *octet == i as u8));
            Ok(bytes.len())
        }
        Ok(Some((.., Err(error)))) => Err(rule(&error)),
        Ok(None) => panic!("nothing came"),
        Err(Error::Protocol(error)) => Err(error),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn messages_read_in_pieces_have_the_limits_of_others_or_one_of_their_own() {
    use ProtocolError::{FrameTooBig, MessageTooBig, TooManyFragments};
    // (length, frames of, without a limit of their own, with one of 5,000, as an event with that)
    let table = [
        (900, 900, Ok(900), Ok(900), Ok(())),
        (1_000, 500, Ok(1_000), Ok(1_000), Ok(())),
        (1_000, 1_000, Err(FrameTooBig), Ok(1_000), Err(FrameTooBig)),
        (1_001, 500, Err(MessageTooBig), Ok(1_001), Err(MessageTooBig)),
        (600, 100, Err(TooManyFragments), Ok(600), Err(TooManyFragments)),
        (5_000, 5_000, Err(FrameTooBig), Ok(5_000), Err(FrameTooBig)),
        (5_000, 7, Err(TooManyFragments), Ok(5_000), Err(TooManyFragments)),
        (5_001, 5_001, Err(FrameTooBig), Err(MessageTooBig), Err(FrameTooBig)),
        (5_001, 900, Err(MessageTooBig), Err(MessageTooBig), Err(MessageTooBig)),
    ];
    for (len, step, plain, in_pieces, whole) in table {
        for reads in [13, 100_000] {
            let reads = cut(&message(len, step), reads);
            servers(&reads, &config(None), |adapter, end| {
                assert_eq!(read(end), plain, "{adapter}, {len} by {step}");
            });
            servers(&reads, &config(Some(5_000)), |adapter, end| {
                assert_eq!(read(end), in_pieces, "{adapter}, {len} by {step}");
            });
            servers(&reads, &config(Some(5_000)), |adapter, end| match (end.event(), whole) {
                (Ok(Some(_)), Ok(())) => {}
                (Err(Error::Protocol(error)), Err(expected)) if error == expected => {}
                (other, _) => panic!("{adapter}, {len} by {step}: {other:?}"),
            });
        }
    }
}

#[test]
fn what_is_skipped_is_not_held_and_may_be_longer_than_what_may_be() {
    let stream = [message(5_000, 5_000), masked(0x81, b"next")].concat();
    for reads in [13, 1_000] {
        servers(&cut(&stream, reads), &config(Some(u64::MAX)), |adapter, end| {
            end.take_message(10, 10).unwrap().unwrap().2.unwrap();
            assert_eq!(end.event().unwrap().unwrap(), "Text(\"next\")", "{adapter}");
        });
    }
}

#[test]
fn the_rest_of_a_message_that_is_too_large_to_be_held_is_not_received_whole() {
    for step in [5_000, 800] {
        servers(&cut(&message(5_000, step), 50), &config(Some(u64::MAX)), |adapter, end| {
            end.chunk().unwrap().unwrap();
            let error = end.event().unwrap_err();
            let is_told = matches!(error, Error::Protocol(ProtocolError::MessageTooBig));
            assert!(is_told, "{adapter}: {error:?}");
        });
    }
}
