//! An application: it listens, says what it has to say between two events, and notes it all down.
//! The same over the core and over every form of the adapters.

use std::time::Duration;

use sotong::{
    Chunk, CloseCode, CloseFrame, Compress, Error, Event, Payload, Prepared, Result, SendError,
};

use crate::common::Seen;
use crate::model::script::Choices;
use crate::ways::join;

/// Something to be said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Say {
    Message { message: Message, way: Way },
    Fragment { message: Message, fin: bool },
    Ping(Vec<u8>),
    Flush,
    Close(Option<(u16, &'static str)>),
}

/// Which method sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Send,
    Feed,
    SendPrepared,
    FeedPrepared,
    InPlace,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub bytes: Vec<u8>,
    pub is_text: bool,
    pub compress: Compress,
}

impl Message {
    pub fn payload(&self) -> Payload<'_> {
        let payload = match std::str::from_utf8(&self.bytes) {
            Ok(text) if self.is_text => Payload::text(text),
            _ => Payload::binary(&self.bytes),
        };
        payload.compress(self.compress)
    }

    pub fn prepared(&self) -> Prepared {
        Prepared::new(self.payload())
    }
}

/// What is said before one event is waited for.
pub type Turn = Vec<Say>;

/// What an application does.
#[derive(Clone, Debug)]
pub struct App {
    pub turns: Vec<Turn>,
    /// Whether messages are sent back.
    pub echoes: bool,
    /// The n-th receiving is in pieces if the n-th bit from the right says so, of the five that
    /// come again and again.
    pub pieces: u8,
}

impl App {
    pub fn in_pieces(&self, n: usize) -> bool {
        self.pieces >> (n % 5) & 1 != 0
    }
}

/// What to say, each by a byte and its parts. The highest bit of the byte ends the turn.
pub fn turns(choices: &mut Choices<'_>) -> Vec<Turn> {
    let mut turns = vec![vec![]];
    let mut number = 0_u8;
    while !choices.is_empty() {
        let kind = choices.byte();
        // Each is told from the others.
        number = number.wrapping_add(1);
        let mut message = |is_text: bool| {
            let times = if kind & 0x40 != 0 { usize::from(choices.byte()) } else { 1 };
            let said = choices.string().repeat(times);
            let bytes = [&[b'0' + number % 10], &said[..]].concat();
            let compress =
                [Compress::Auto, Compress::Yes, Compress::No][usize::from(kind >> 4) % 3];
            let text = String::from_utf8_lossy(&bytes);
            let bytes = if is_text { text.into_owned().into_bytes() } else { bytes };
            Message { bytes, is_text, compress }
        };
        let say = match kind & 0x0f {
            0..=2 => Say::Message { message: message(kind & 1 != 0), way: Way::Send },
            3 | 4 => Say::Message { message: message(kind & 1 != 0), way: Way::Feed },
            5 => Say::Message { message: message(true), way: Way::SendPrepared },
            6 => Say::Message { message: message(false), way: Way::FeedPrepared },
            7 | 8 => Say::Message { message: message(false), way: Way::InPlace },
            9 | 10 => Say::Fragment { message: message(true), fin: kind & 1 != 0 },
            11 => Say::Fragment { message: message(false), fin: kind & 0x20 != 0 },
            12 => Say::Ping([&[b'?', number], choices.string()].concat()),
            13 => Say::Flush,
            14 => Say::Close(None),
            _ => Say::Close(Some((1000 + u16::from(choices.byte() % 16), "안녕"))),
        };
        if let Some(turn) = turns.last_mut() {
            turn.push(say);
        }
        if kind & 0x80 != 0 {
            turns.push(vec![]);
        }
    }
    turns
}

/// What happened, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Talk {
    pub events: Vec<(Duration, Seen)>,
    pub said: Vec<Said>,
    /// Whether our Close had left when theirs was handed over, or else at the end: then everything
    /// may be dropped.
    pub had_closed: Option<bool>,
    /// How it ended, if it did.
    pub outcome: Option<(Duration, String)>,
    /// Of a message that is received in pieces, what has come so far.
    pub begun: Vec<u8>,
}

/// What came of something that was said, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    pub say: Say,
    pub at: Duration,
    pub fate: Fate,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    Accepted,
    Refused(SendError),
    /// The connection was given up meanwhile, or the call was dropped.
    Unknown(String),
}

impl Talk {
    /// What an application answers that echoes.
    pub fn echo<'e>(event: &Event<'e>) -> Option<Payload<'e>> {
        match *event {
            Event::Text(text) => Some(Payload::text(text)),
            Event::Binary(bytes) => Some(Payload::binary(bytes)),
            _ => None,
        }
    }

    fn look_for_a_close(&mut self, ends: &impl Ends) {
        if let Some((_, Seen::Close(_))) = self.events.last() {
            self.had_closed = Some(ends.has_closed());
        }
    }

    pub fn end(&mut self, now: Duration, outcome: &Result<()>) {
        self.outcome = Some((now, format!("{outcome:?}")));
    }

    /// As [`note`](Self::note), of a call that may have been dropped.
    pub fn note_if(&mut self, say: Say, at: Duration, said: Option<Result<()>>) {
        match said {
            Some(said) => self.note(say, at, said),
            None => self.said.push(Said { say, at, fate: Fate::Unknown("dropped".into()) }),
        }
    }

    /// Notes that this is being said, which may never end.
    pub fn begin(&mut self, say: &Say, at: Duration) {
        let fate = Fate::Unknown(UNDER_WAY.into());
        self.said.push(Said { say: say.clone(), at, fate });
    }

    /// Notes what came of it.
    pub fn note(&mut self, say: Say, at: Duration, said: Result<()>) {
        self.said.pop_if(|said| matches!(&said.fate, Fate::Unknown(why) if why == UNDER_WAY));
        let fate = match said {
            Ok(()) => Fate::Accepted,
            // It may have been queued before.
            Err(error @ Error::Send(SendError::Closing)) => Fate::Unknown(format!("{error:?}")),
            Err(Error::Send(error)) => Fate::Refused(error),
            Err(error) => Fate::Unknown(format!("{error:?}")),
        };
        self.said.push(Said { say, at, fate });
    }
}

/// What was received.
pub enum Heard {
    /// A piece which is not the last.
    Piece,
    Event(Seen),
    /// An event that was noted down, and echoed if it had to be.
    Done,
}

const UNDER_WAY: &str = "nobody waited for its end";

/// What was received, which may be nothing.
pub fn heard(chunk: Option<Chunk<'_>>, talk: &mut Talk) -> Option<Heard> {
    let chunk = chunk?;
    Some(join(&mut talk.begun, chunk).map_or(Heard::Piece, Heard::Event))
}

/// A whole event, which may be the rest of a message of which pieces have come.
pub fn heard_whole(event: Option<Event<'_>>, talk: &mut Talk) -> Option<Heard> {
    heard(event.map(Chunk::from), talk)
}

/// A connection, or its halves.
pub trait Ends {
    /// The next event or piece; nothing at the end.
    async fn recv(
        &mut self,
        in_pieces: bool,
        echoes: bool,
        talk: &mut Talk,
    ) -> Result<Option<Heard>>;

    async fn say(&mut self, say: &Say) -> Result<()>;

    /// The time since it began.
    fn now(&self) -> Duration;

    /// Whether the peer has seen our Close.
    fn has_closed(&self) -> bool;

    /// Whether nothing comes after an error, not even that error.
    fn ends_with_nothing(&self) -> bool {
        false
    }
}

/// Talks until the end, and makes sure that the end is the end.
pub async fn converse(ends: &mut impl Ends, app: &App, talk: &mut Talk) {
    let mut turns = app.turns.iter();
    let mut is_our_turn = true;
    for n in 0.. {
        let turn = if is_our_turn { turns.next() } else { None };
        for say in turn.into_iter().flatten() {
            talk.begin(say, ends.now());
            let said = ends.say(say).await;
            talk.note(say.clone(), ends.now(), said);
        }
        let outcome = match ends.recv(app.in_pieces(n), app.echoes, talk).await {
            Ok(Some(Heard::Event(seen))) => {
                let echo = Say::echo(&seen).filter(|_| app.echoes);
                talk.events.push((ends.now(), seen));
                talk.look_for_a_close(ends);
                if let Some(echo) = echo {
                    talk.begin(&echo, ends.now());
                    let said = ends.say(&echo).await;
                    talk.note(echo, ends.now(), said);
                }
                is_our_turn = true;
                continue;
            }
            Ok(Some(heard)) => {
                is_our_turn = matches!(heard, Heard::Done);
                talk.look_for_a_close(ends);
                continue;
            }
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        talk.end(ends.now(), &outcome);
        talk.begun.clear();
        talk.had_closed.get_or_insert(ends.has_closed());
        let again = ends.recv(false, false, talk).await;
        let is_end = matches!(again, Ok(None)) || (again.is_err() && !ends.ends_with_nothing());
        assert!(is_end, "it ends only once");
        return;
    }
}

impl Say {
    /// Its bytes, about.
    pub fn len(&self) -> usize {
        match self {
            Self::Message { message, .. } | Self::Fragment { message, .. } => message.bytes.len(),
            Self::Ping(_) | Self::Flush | Self::Close(_) => 128,
        }
    }

    /// Whether no other has to follow.
    pub fn is_whole(&self) -> bool {
        !matches!(self, Self::Fragment { .. })
    }

    /// The echo of an event.
    pub fn echo(seen: &Seen) -> Option<Self> {
        let (bytes, is_text) = match seen {
            Seen::Text(text) => (text.clone().into_bytes(), true),
            Seen::Binary(bytes) => (bytes.clone(), false),
            _ => return None,
        };
        let message = Message { bytes, is_text, compress: Compress::Auto };
        Some(Self::Message { message, way: Way::Feed })
    }
}

/// The frame of a Close.
pub fn close_frame(close: &Option<(u16, &'static str)>) -> Option<CloseFrame<'static>> {
    close.map(|(code, reason)| CloseFrame { code: CloseCode(code), reason })
}
