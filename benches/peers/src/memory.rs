//! What crates cost without a socket: time and allocations for each message, in memory.
//!
//! The time is that of the thread on its core, so that other programs are not counted. Before it is
//! taken, every candidate does its work once and is checked: each message that it receives against
//! the one that was sent, what it sends with the simplest decoder.

mod allocations;
mod frames;
mod peers;
mod rounds;
mod wire;

use std::process::{Command, Stdio};
use std::{env, io, iter};

use frames::{Content, Frames};
use peers::{
    ANSWERERS, RECEIVERS, Receiver, Role, SENDERS, SENDERS_IN_PLACE, Seen, Sender, Sending,
};
use rounds::Turn;
use wire::{Portion, Sink, Wire};

use crate::asked::{is_candidate_wanted, is_work_wanted};
use crate::results::{Of, Results, Row, Target};

/// Measures everything: in several processes, since what lies where in the memory of one moves some
/// figures by a third for as long as it lives; or in this one alone, if it is to be `quick`.
pub fn run(results: &mut Results, quick: bool) -> io::Result<()> {
    if quick {
        measure(results);
    } else {
        let parts: Vec<_> = (0..PROCESSES).map(|_| part()).collect::<io::Result<_>>()?;
        median_of(&parts).for_each(|row| results.add(row));
    }
    add_targets(results);
    Ok(())
}

/// What [`PART`] asks for: the rows that one process measured, for the one that has started it.
pub fn print_part() -> io::Result<()> {
    let mut results = Results::default();
    measure(&mut results);
    println!("{}", serde_json::to_string(&results.rows)?);
    Ok(())
}

fn part() -> io::Result<Vec<Row>> {
    let mut command = Command::new(env::current_exe()?);
    let output = command.arg(PART).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(io::Error::other(format!("a part in memory: {}", output.status)));
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The medians of rows that are the same in all parts but for their figures.
fn median_of(parts: &[Vec<Row>]) -> impl Iterator<Item = Row> {
    let (first, others) = parts.split_first().expect("there is a part");
    first.iter().enumerate().map(move |(at, row)| {
        let rows = || iter::once(row).chain(others.iter().map(move |rows| &rows[at]));
        let median = |of: &dyn Fn(&Row) -> Option<f64>| {
            let mut figures: Vec<_> = rows().filter_map(of).collect();
            figures.sort_by(f64::total_cmp);
            figures.get(figures.len() / 2).copied()
        };
        let low = median(&|row| row.spread.map(|(low, _)| low));
        let high = median(&|row| row.spread.map(|(_, high)| high));
        Row { value: median(&|row| row.value), spread: low.zip(high), ..row.clone() }
    })
}

fn measure(results: &mut Results) {
    let mut allocations = Vec::new();
    for (content, len) in MANY_FRAMES {
        allocations.extend(receive(results, Portion::Many, content, len));
    }
    for (content, len) in ONE_FRAME {
        // Allocations are no others than with many frames.
        _ = receive(results, Portion::OneFrame, content, len);
    }
    for way in Way::ALL {
        for len in SENT {
            allocations.extend(send(results, way, len));
        }
    }
    answer(results);
    allocations.into_iter().for_each(|row| results.add(row));
}

/// Adds rows of the time, and gives those of the allocations.
fn receive(results: &mut Results, portion: Portion, content: Content, len: usize) -> Vec<Row> {
    let (table, work) = (receive_table(portion), receive_work(content, len));
    if !is_work_wanted(&format!("{table}: {work}")) {
        return Vec::new();
    }
    eprintln!("{table}: {work}");
    let frames = Frames::from_client(content, len);
    let wire = Wire::new(frames, portion, Sink::leaked());
    let mut field = Field::new(table, &work);
    let mut allocations = Vec::new();
    for entry in RECEIVERS.iter().filter(|entry| is_candidate_wanted(entry.name)) {
        let mut receiver = (entry.make)(wire);
        // The limit has no messages to show.
        let is_limit = entry.name == COPYING;
        let checked = match is_limit {
            true => Ok(()),
            false => check_receiver(receiver.as_mut(), frames),
        };
        if let Err(why) = checked {
            field.fail(entry.name, &why);
            continue;
        }
        if !is_limit {
            let count = count_for_each(len, |times| {
                let mut seen = Seen::default();
                receiver.receive(times, &mut seen).expect("it worked when it was checked");
                seen.messages
            });
            allocations.push(allocation_row(&format!("receive {work}"), entry.name, count));
        }
        let turn = move |times| {
            let mut seen = Seen::default();
            receiver.receive(times, &mut seen).expect("it worked when it was checked");
            seen.messages
        };
        field.enter(entry.name, entry.note, Box::new(turn));
    }
    field.measure(results);
    allocations
}

/// Adds rows of the time, and gives those of the allocations.
fn send(results: &mut Results, way: Way, len: usize) -> Vec<Row> {
    let (table, work, role) = (way.table(), size(len), way.role());
    if !is_work_wanted(&format!("{table}: {work}")) {
        return Vec::new();
    }
    eprintln!("{table}: {work}");
    let nothing = Frames::raw(Vec::new());
    let mut field = Field::new(table, &work);
    let mut allocations = Vec::new();
    for entry in way.senders().iter().filter(|entry| is_candidate_wanted(entry.name)) {
        let sink = Sink::leaked();
        let wire = Wire::new(nothing, Portion::Many, sink);
        let payload = Content::Binary.message(len, 0);
        let Some(mut sender) = (entry.make)(wire, role, payload.clone()) else { continue };
        if let Err(why) = check_sender(sender.as_mut(), sink, role, &payload) {
            field.fail(entry.name, &why);
            continue;
        }
        let count = count_for_each(len, |times| {
            sender.send(times).expect("it worked when it was checked");
            times
        });
        allocations.push(allocation_row(&format!("{table}, {work}"), entry.name, count));
        let turn = move |times| {
            sender.send(times).expect("it worked when it was checked");
            times
        };
        field.enter(entry.name, entry.note, Box::new(turn));
    }
    field.measure(results);
    allocations
}

fn answer(results: &mut Results) {
    if !is_work_wanted(HANDSHAKE) {
        return;
    }
    eprintln!("{HANDSHAKE}");
    let sink = Sink::leaked();
    let wire = Wire::new(Frames::raw(REQUEST.as_bytes().to_vec()), Portion::OneFrame, sink);
    let mut field = Field::new(HANDSHAKE, HANDSHAKE_WORK);
    for entry in ANSWERERS.iter().filter(|entry| is_candidate_wanted(entry.name)) {
        let Some(answer) = entry.answer else {
            field.fail(entry.name, entry.note);
            continue;
        };
        let (answered, response, _) = sink.record(|| answer(wire));
        let is_limit = entry.name == HASHING;
        let checked = match answered {
            Err(error) => Err(error.to_string()),
            Ok(()) if is_limit || is_acceptance(&response) => Ok(()),
            Ok(()) => Err(format!("answered {:?}", String::from_utf8_lossy(&response))),
        };
        if let Err(why) = checked {
            field.fail(entry.name, &why);
            continue;
        }
        let turn = move |times| {
            for _ in 0..times {
                answer(wire).expect("it worked when it was checked");
            }
            times
        };
        field.enter(entry.name, entry.note, Box::new(turn));
    }
    field.measure(results);
}

/// How messages are sent.
#[derive(Clone, Copy)]
enum Way {
    Server,
    /// Masked on the way out; the payload is as it was.
    Client,
    /// Masked where it lies.
    ClientInPlace,
}

impl Way {
    const ALL: [Self; 3] = [Self::Server, Self::Client, Self::ClientInPlace];

    fn table(self) -> &'static str {
        match self {
            Self::Server => "Send, server",
            Self::Client => "Send, client",
            Self::ClientInPlace => "Send, client, in place",
        }
    }

    fn role(self) -> Role {
        match self {
            Self::Server => Role::Server,
            Self::Client | Self::ClientInPlace => Role::Client,
        }
    }

    fn senders(self) -> &'static [Sending] {
        match self {
            Self::Server | Self::Client => &SENDERS,
            Self::ClientInPlace => &SENDERS_IN_PLACE,
        }
    }
}

/// Those who do the same work.
struct Field<'f> {
    table: &'f str,
    work: &'f str,
    entered: Vec<Entered>,
    turns: Vec<Turn<'f>>,
}

struct Entered {
    name: &'static str,
    note: String,
    is_able: bool,
}

impl<'f> Field<'f> {
    fn new(table: &'f str, work: &'f str) -> Self {
        Self { table, work, entered: Vec::new(), turns: Vec::new() }
    }

    fn enter(&mut self, name: &'static str, note: &str, turn: Turn<'f>) {
        self.entered.push(Entered { name, note: note.to_owned(), is_able: true });
        self.turns.push(turn);
    }

    /// Keeps in mind one who cannot do it.
    fn fail(&mut self, name: &'static str, why: &str) {
        eprintln!("  {name} fails: {why}");
        let note = format!("fails at {}: {why}", self.work);
        self.entered.push(Entered { name, note, is_able: false });
    }

    fn measure(mut self, results: &mut Results) {
        let mut timings = rounds::measure(&mut self.turns, ROUNDS).into_iter();
        for Entered { name, note, is_able } in self.entered {
            let timing = is_able.then(|| timings.next()).flatten();
            results.add(match timing {
                Some(timing) => Row::new(self.table, self.work, name, timing.median, "ns")
                    .spread(timing.low, timing.high)
                    .note(&note),
                None => Row::failed(self.table, self.work, name, "ns", &note),
            });
        }
    }
}

/// Receives all that goes round, and a little more.
fn check_receiver(receiver: &mut dyn Receiver, frames: &'static Frames) -> Result<(), String> {
    let mut seen = Seen::checking(frames);
    let messages = frames.messages.len() + 1;
    receiver.receive(messages, &mut seen).map_err(|error| error.to_string())?;
    if let Some(wrong) = seen.wrong {
        return Err(wrong);
    }
    let len = frames.messages[0].len();
    match (seen.messages, seen.bytes) {
        (count, bytes) if count >= messages && bytes == count * len => Ok(()),
        (count, bytes) => Err(format!("{count} messages with {bytes} bytes instead of {messages}")),
    }
}

/// Sends twice, and decodes what was written each time. The second payload is not looked at:
/// masking in place has destroyed it.
fn check_sender(
    sender: &mut dyn Sender,
    sink: &Sink,
    role: Role,
    payload: &[u8],
) -> Result<(), String> {
    for is_first in [true, false] {
        let (sent, bytes, _) = sink.record(|| sender.send(1));
        sent.map_err(|error| error.to_string())?;
        let decoded = frames::decode(&bytes).ok_or("what was written is no binary frame")?;
        let (sent, is_masked, rest) = decoded;
        if is_masked != (role == Role::Client) {
            return Err("the mask is wrong for this role".into());
        }
        if sent.len() != payload.len() || is_first && sent != payload || !rest.is_empty() {
            return Err("what was written is not the message".into());
        }
    }
    Ok(())
}

/// Section 4.2.2, and the example's accept value of section 1.3.
fn is_acceptance(response: &[u8]) -> bool {
    let response = String::from_utf8_lossy(response);
    response.starts_with("HTTP/1.1 101 ")
        && response.contains(": s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n")
        && response.ends_with("\r\n\r\n")
}

/// Allocations for each message of this length, when enough of them have passed.
fn count_for_each(len: usize, mut work: impl FnMut(usize) -> usize) -> f64 {
    let times = (STEADY / len).clamp(4, 4096);
    work(times);
    let (done, count) = allocations::count(|| work(times));
    count as f64 / done as f64
}

fn allocation_row(work: &str, candidate: &str, count: f64) -> Row {
    Row::new(ALLOCATIONS, work, candidate, count, "for each message")
}

fn add_targets(results: &mut Results) {
    for (content, len) in MANY_FRAMES {
        let (table, work) = (receive_table(Portion::Many), receive_work(content, len));
        let at_most = match (content, len) {
            (Content::Ascii, _) => continue,
            (_, ..=16) => 1.0 / 3.0,
            (_, ..=125) => 1.0 / 2.0,
            (_, ..=KIB) => 2.0 / 3.0,
            _ => 1.0,
        };
        results.require(Target::new(table, &work, at_most, Of::BestPeer));
        if (content, len) == (Content::Binary, MIB) {
            let memcpy = Of::Candidate(COPYING.into());
            results.require(Target::new(table, &work, 2.2, memcpy));
        }
    }
    for (content, len) in ONE_FRAME {
        let (table, work) = (receive_table(Portion::OneFrame), receive_work(content, len));
        results.require(Target::new(table, &work, 0.5, Of::BestPeer));
    }
    for len in SENT.into_iter().filter(|&len| len <= KIB) {
        results.require(Target::new(Way::Server.table(), &size(len), 1.0, Of::BestPeer));
    }
    // Independent of the size, but for the noise.
    let (large, larger) = (size(64 * KIB), size(MIB));
    results.require(Target::new(Way::Server.table(), &larger, 1.25, Of::Work(large)));
    for way in [Way::Client, Way::ClientInPlace] {
        for len in SENT {
            results.require(Target::new(way.table(), &size(len), 1.0, Of::BestPeer));
        }
    }
    let limit = Of::Candidate(HASHING.into());
    results.require(Target::new(HANDSHAKE, HANDSHAKE_WORK, 1.5, limit));
    let allocations = results.rows.iter().filter(|row| row.table == ALLOCATIONS);
    let ours = allocations.filter(|row| row.candidate == crate::results::OURS);
    for work in ours.map(|row| row.work.clone()).collect::<Vec<_>>() {
        results.require(Target::new(ALLOCATIONS, &work, 0.0, Of::Fixed));
    }
}

fn receive_table(portion: Portion) -> &'static str {
    match portion {
        Portion::Many => "Receive, many frames per read",
        Portion::OneFrame => "Receive, one frame per read",
    }
}

fn receive_work(content: Content, len: usize) -> String {
    format!("{}, {}", content.name(), size(len))
}

fn size(len: usize) -> String {
    match len {
        MIB.. => format!("{} MiB", len / MIB),
        KIB.. => format!("{} KiB", len / KIB),
        _ => format!("{len} B"),
    }
}

/// The command of the program that measures one part.
pub const PART: &str = "memory-part";

const PROCESSES: usize = 3;

/// In each process.
const ROUNDS: usize = 7;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

const MANY_FRAMES: [(Content, usize); 14] = [
    (Content::Binary, 16),
    (Content::Binary, 125),
    (Content::Binary, KIB),
    (Content::Binary, 16 * KIB),
    (Content::Binary, 64 * KIB),
    (Content::Binary, MIB),
    (Content::Binary, 16 * MIB),
    (Content::Korean, 125),
    (Content::Korean, KIB),
    (Content::Korean, 16 * KIB),
    (Content::Korean, 64 * KIB),
    (Content::Korean, MIB),
    (Content::Ascii, 125),
    (Content::Ascii, KIB),
];

const ONE_FRAME: [(Content, usize); 4] =
    [(Content::Binary, 16), (Content::Binary, 125), (Content::Binary, KIB), (Content::Korean, 125)];

const SENT: [usize; 6] = [16, 125, KIB, 16 * KIB, 64 * KIB, MIB];

/// How many bytes pass while allocations are counted, after as many have passed before.
const STEADY: usize = 4 * MIB;

const ALLOCATIONS: &str = "Allocations";
const HANDSHAKE: &str = "Opening handshake, server";
const HANDSHAKE_WORK: &str = "a browser's request";
const COPYING: &str = "memcpy";
const HASHING: &str = "httparse + sha1 + base64";

/// As a browser sends it, with the key of the RFC's example.
const REQUEST: &str = "GET /chat?room=lobby HTTP/1.1\r\n\
     Host: chat.example.com\r\n\
     Connection: Upgrade\r\n\
     Pragma: no-cache\r\n\
     Cache-Control: no-cache\r\n\
     User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
     Chrome/131.0.0.0 Safari/537.36\r\n\
     Upgrade: websocket\r\n\
     Origin: https://chat.example.com\r\n\
     Sec-WebSocket-Version: 13\r\n\
     Accept-Encoding: gzip, deflate, br, zstd\r\n\
     Accept-Language: ko-KR,ko;q=0.9,en-US;q=0.8,en;q=0.7\r\n\
     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
     Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";
