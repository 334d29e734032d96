//! Runs that may go in many ways: halves in two tasks, and calls that are dropped. They are not
//! compared with the core; they must be sound, and end when nothing keeps them from it.

use std::time::Duration;

use sotong::tokio::{Receiver, Sender, WebSocket};
use sotong::{State, Timeouts};
use tokio::runtime::Runtime;
use tokio::time::{Instant, sleep, timeout};

use super::scenario::Scenario;
use super::sound::Fed;
use super::talk::{App, Ends, Fate, Heard, Said, Say, Talk, Turn, heard, heard_whole};
use super::tokio_forms::{Listening, Whole, at_most, close, say_by_half};
use super::wire::Wire;
use super::{FOR_EVER, Trace};

pub fn check(scenario: &Scenario, runtime: &Runtime, fed: &Fed) {
    for in_two_tasks in [true, false] {
        let what = if in_two_tasks { "two tasks" } else { "dropped calls" };
        let io = scenario.io();
        let run = runtime.block_on(async {
            let opened = timeout(FOR_EVER, scenario.open_async(io.clone())).await;
            let Ok(Ok(ws)) = opened else { return None };
            Some(match in_two_tasks {
                true => scenario.in_two_tasks(ws).await,
                false => scenario.with_dropped_calls(ws).await,
            })
        });
        // How it opens is compared already.
        let Some((talk, has_spoken)) = run else { continue };
        let trace = Trace::new(talk, io.peer(), true);
        scenario.assert_is_sound(what, &trace, fed);
        scenario.assert_is_over(what, &trace, has_spoken);
    }
}

/// Between two turns of a sender that does not listen.
const PAUSE: Duration = Duration::from_millis(16);

impl Scenario {
    /// One half listens and one speaks, each woken on its own. Also whether all was spoken.
    async fn in_two_tasks(&self, ws: WebSocket<Wire>) -> (Talk, bool) {
        let start = Instant::now();
        let (receiver, mut sender) = ws.split();
        let (turns, app) = (self.app.turns.clone(), self.app.clone());
        let listening = tokio::spawn(async move {
            let mut talk = Talk::default();
            let _is_over = timeout(FOR_EVER, listen(receiver, &app, start, &mut talk)).await;
            talk
        });
        let speaking = tokio::spawn(async move {
            let mut talk = Talk::default();
            let speaking = timeout(FOR_EVER, speak(&mut sender, &turns, start, &mut talk));
            let has_spoken = speaking.await.is_ok();
            (talk.said, has_spoken, sender)
        });
        // A sender that is dropped must not end what the receiver waits for.
        let (said, has_spoken, _sender) = speaking.await.expect("it does not panic");
        let listened = listening.await.expect("it does not panic");
        (Talk { said, ..listened }, has_spoken)
    }

    /// Whatever is called is dropped after a few polls, and receiving is called again. Also whether
    /// it was not stuck in saying something.
    async fn with_dropped_calls(&self, ws: WebSocket<Wire>) -> (Talk, bool) {
        let start = Instant::now();
        let mut ends = Whole { ws, start, listening: Listening::Dropped(self.polls) };
        let (mut talk, mut has_spoken) = (Talk::default(), true);
        let talking = async {
            let mut turns = self.app.turns.iter();
            for n in 0.. {
                // What is open with a dropped fragment nobody knows.
                has_spoken = false;
                for say in turns.next().into_iter().flatten().filter(|say| say.is_whole()) {
                    let said = at_most(self.polls, ends.say(say)).await;
                    talk.note_if(say.clone(), start.elapsed(), said);
                }
                has_spoken = true;
                let outcome = match ends.recv(self.app.in_pieces(n), false, &mut talk).await {
                    Ok(Some(Heard::Event(seen))) => {
                        talk.events.push((start.elapsed(), seen));
                        continue;
                    }
                    Ok(Some(_)) => continue,
                    Ok(None) => Ok(()),
                    Err(error) => Err(error),
                };
                return talk.end(start.elapsed(), &outcome);
            }
        };
        let _is_over = timeout(FOR_EVER, talking).await;
        (talk, has_spoken)
    }

    /// Whether what had to end has ended.
    fn assert_is_over(&self, what: &str, trace: &Trace, has_spoken: bool) {
        let talk = &trace.talk;
        let Timeouts { keepalive, pong, close, send, .. } = self.timeouts;
        let is_missed = send.is_some() && self.shows_what_it_takes();
        let is_taken = !self.stalls_for_ever() || is_missed;
        let has_all = [keepalive, pong, close].iter().all(Option::is_some);
        let is_silence_over = self.ends_at_once() || has_all;
        let is_over = talk.outcome.is_some();
        assert!(is_over || !(is_taken && is_silence_over), "{what}: it waits for ever, {trace:?}");
        assert!(has_spoken || !(is_taken || is_over), "{what}: it speaks for ever");
        // Its own Close sets a deadline for all that follows.
        let closed = talk
            .said
            .iter()
            .find(|said| matches!(said.say, Say::Close(_)) && said.fate == Fate::Accepted);
        if let (Some(Said { at, .. }), Some(close)) = (closed, close) {
            let ended = talk.outcome.as_ref().map(|(time, _)| *time);
            assert!(ended.is_some_and(|ended| ended <= *at + close), "{what}: {ended:?}, {talk:?}");
        }
    }
}

async fn speak(sender: &mut Sender<Wire>, turns: &[Turn], start: Instant, talk: &mut Talk) {
    for turn in turns {
        for say in turn {
            talk.begin(say, start.elapsed());
            let said = match say {
                Say::Close(None) if sender.state() == State::Open => close(sender).await,
                _ => say_by_half(sender, say).await,
            };
            talk.note(say.clone(), start.elapsed(), said);
        }
        sleep(PAUSE).await;
    }
    // What is fed last may have to be, as the receiver does not look again before something comes.
    let _unless_over = sender.flush().await;
}

async fn listen(mut receiver: Receiver<Wire>, app: &App, start: Instant, talk: &mut Talk) {
    for n in 0.. {
        let received = match app.in_pieces(n) {
            true => receiver.recv_chunk().await.map(|chunk| heard(chunk, talk)),
            false => receiver.recv().await.map(|event| heard_whole(event, talk)),
        };
        let outcome = match received {
            Ok(Some(heard)) => {
                if let Heard::Event(seen) = heard {
                    talk.events.push((start.elapsed(), seen));
                }
                continue;
            }
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        return talk.end(start.elapsed(), &outcome);
    }
}
