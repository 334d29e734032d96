//! Somebody who listens to everything of ours that one thread does.

use std::fmt::{self, Write};
use std::mem;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Metadata, Subscriber};

/// What was heard, line by line: the level, the words, the fields.
#[derive(Clone, Default)]
pub struct Listener(Arc<Mutex<Vec<String>>>);

/// What happens, and what this thread hears of it.
pub fn heard<T>(happens: impl FnOnce() -> T) -> (T, Vec<String>) {
    let listener = Listener::default();
    let _listening = listener.listen();
    let happened = happens();
    (happened, listener.take())
}

impl Listener {
    /// Listens as long as the guard is there.
    pub fn listen(&self) -> DefaultGuard {
        tracing::subscriber::set_default(self.clone())
    }

    /// What was heard since the last time.
    pub fn take(&self) -> Vec<String> {
        mem::take(&mut *self.0.lock().unwrap())
    }
}

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("sotong")
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        let Line { words, fields } = line;
        let (level, colon) = (event.metadata().level(), if fields.is_empty() { "" } else { ":" });
        self.0.lock().unwrap().push(format!("{level} {words}{colon}{fields}"));
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Line {
    words: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.words = format!("{value:?}"),
            name => write!(self.fields, " {name}={value:?}").unwrap(),
        }
    }
}
