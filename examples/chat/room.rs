//! The room: who is there, and one order of what happens for all of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use sotong::{CloseCode, CloseFrame, Prepared};
use tokio::sync::{mpsc, watch};

/// How many messages a guest may be behind the others.
const QUEUE: usize = 256;

/// The receiving end of a guest's queue.
pub type Parcels = mpsc::Receiver<Prepared>;

/// The sending end of a guest's queue.
#[derive(Clone)]
pub struct Guest {
    parcels: mpsc::Sender<Prepared>,
    farewell: Arc<watch::Sender<Option<CloseFrame<'static>>>>,
}

/// A queue for a guest who has just come.
pub fn queue() -> (Guest, Parcels) {
    let (parcels, receiver) = mpsc::channel(QUEUE);
    (Guest { parcels, farewell: Arc::default() }, receiver)
}

impl Guest {
    /// Tells this guest alone.
    pub fn tell(&self, what: &Value) {
        self.send(&encode(what));
    }

    /// Closes the connection, for the reason given.
    pub fn send_away(&self, farewell: CloseFrame<'static>) {
        self.farewell.send_replace(Some(farewell));
    }

    /// Waits for the guest to be sent away.
    pub async fn sent_away(&self) -> CloseFrame<'static> {
        let mut farewell = self.farewell.subscribe();
        loop {
            if let Some(frame) = *farewell.borrow_and_update() {
                return frame;
            }
            // The sender lives as long as this guest does, so there is always a change to wait for.
            let _changed = farewell.changed().await;
        }
    }

    /// Never waits: a guest whose queue is full is sent away.
    fn send(&self, message: &Prepared) {
        if self.parcels.try_send(message.clone()).is_err() {
            self.send_away(CloseFrame { code: CloseCode::TRY_AGAIN_LATER, reason: "too slow" });
        }
    }
}

/// Everyone who has joined.
#[derive(Default)]
pub struct Room {
    guests: Mutex<Guests>,
}

#[derive(Default)]
struct Guests {
    /// Seats given so far.
    seats: u64,
    /// Messages said so far.
    said: u64,
    by_seat: BTreeMap<u64, (String, Guest)>,
}

/// A guest's place in the room; dropped when the guest leaves.
pub struct Seat {
    room: Arc<Room>,
    number: u64,
    name: String,
}

impl Room {
    /// Seats a guest, under the name asked for if nobody has it.
    pub fn join(room: &Arc<Self>, wanted: &str, guest: Guest, max_bytes: u64) -> Seat {
        let mut guests = room.lock();
        let name = guests.free_name(wanted);
        guests.tell_all(&json!({"type": "joined", "name": name}));
        guests.seats += 1;
        let number = guests.seats;
        guests.by_seat.insert(number, (name.clone(), guest.clone()));
        let users: Vec<&str> = guests.by_seat.values().map(|(name, _)| &**name).collect();
        guest
            .tell(&json!({"type": "welcome", "name": name, "users": users, "maxBytes": max_bytes}));
        Seat { room: room.clone(), number, name }
    }

    fn lock(&self) -> MutexGuard<'_, Guests> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guests {
    fn tell_all(&self, what: &Value) {
        let message = encode(what); // once, for however many there are
        for (_, guest) in self.by_seat.values() {
            guest.send(&message);
        }
    }

    fn free_name(&self, wanted: &str) -> String {
        let is_taken = |name: &str| self.by_seat.values().any(|(taken, _)| taken == name);
        let numbered = (2..).map(|n| format!("{wanted} {n}"));
        std::iter::once(wanted.to_owned())
            .chain(numbered)
            .find(|name| !is_taken(name))
            .unwrap_or_default()
    }
}

impl Seat {
    /// Says something to everyone, the speaker included.
    pub fn say(&self, text: &str) {
        let mut guests = self.room.lock();
        guests.said += 1;
        guests
            .tell_all(&json!({"type": "said", "id": guests.said, "name": self.name, "text": text}));
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut guests = self.room.lock();
        guests.by_seat.remove(&self.number);
        guests.tell_all(&json!({"type": "left", "name": self.name}));
    }
}

fn encode(what: &Value) -> Prepared {
    Prepared::new(&*what.to_string())
}
