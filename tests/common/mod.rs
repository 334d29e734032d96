//! What the tests of the protocol share: one end of a connection, to be fed with literal bytes.

pub use sotong::test_kit::Seen;

use sotong::{
    Agreed, Config, Connection, ProtocolError, ReceiveBuffer, Role, SendBuffer, State, Transport,
};

/// What bytes lead to: events, reply bytes, the error, the state, what to do with the stream.
pub type Trace = (Vec<Seen>, Vec<u8>, Option<ProtocolError>, State, Transport);

/// A connection and its two buffers.
pub struct End {
    pub conn: Connection,
    pub rx: ReceiveBuffer,
    pub tx: SendBuffer,
}

impl End {
    /// An end whose client masks with the key 00000000, so that its bytes read directly.
    pub fn new(role: Role, config: &Config) -> Self {
        Self::with(role, config, Agreed::default())
    }

    /// An end that has agreed on extensions.
    pub fn with(role: Role, config: &Config, agreed: Agreed) -> Self {
        let conn = match role {
            Role::Client => Connection::client(config, agreed, || Some([0; 4])),
            Role::Server => Connection::server(config, agreed),
        };
        let rx = ReceiveBuffer::with_capacity(config.limits.receive_buffer);
        Self { conn, rx, tx: SendBuffer::new() }
    }

    /// Receives the pieces one after the other; what is due goes out after each event.
    pub fn feed<'a>(&mut self, pieces: impl IntoIterator<Item = &'a [u8]>) -> Trace {
        let (mut events, mut replies, mut error) = (vec![], vec![], None);
        for mut piece in pieces {
            let mut idle = 0;
            loop {
                let taken = self.rx.extend(piece);
                piece = &piece[taken..];
                idle = if taken > 0 { 0 } else { idle + 1 };
                assert!(idle < 10_000, "nobody takes anything out of a full buffer");
                match self.conn.next_event(&mut self.rx) {
                    Ok(Some(event)) => events.push(event.into()),
                    Ok(None) if piece.is_empty() => break,
                    Ok(None) => {}
                    Err(e) => {
                        assert_eq!(*error.get_or_insert(e), e, "the error that ended it is kept");
                        if piece.is_empty() {
                            break;
                        }
                    }
                }
                replies.extend(self.drain());
            }
            replies.extend(self.drain());
        }
        (events, replies, error, self.conn.state(), self.conn.transport())
    }

    /// Takes what is to go out.
    pub fn drain(&mut self) -> Vec<u8> {
        self.conn.poll_transmit(&mut self.tx);
        let mut transmit = self.tx.transmit();
        let bytes = transmit.slices().concat();
        transmit.consume(bytes.len());
        bytes
    }
}

/// A frame as some peer sends it: its first byte, its masking key, its payload.
pub fn frame(first: u8, key: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let mask_bit = if key.is_some() { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..126 => bytes.push(mask_bit | len as u8),
        len @ 126..0x1_0000 => {
            bytes.push(mask_bit | 126);
            bytes.extend((len as u16).to_be_bytes());
        }
        len => {
            bytes.push(mask_bit | 127);
            bytes.extend((len as u64).to_be_bytes());
        }
    }
    bytes.extend(key.iter().flatten());
    let key = key.unwrap_or_default();
    bytes.extend(payload.iter().enumerate().map(|(i, octet)| octet ^ key[i % 4]));
    bytes
}
