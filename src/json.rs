//! Messages as values: JSON (RFC 8259).

use std::string::String;

use serde::de::{Deserialize, Error as _};
use serde::ser::Serialize;

use crate::adapter::{Error, Result};
use crate::connection::Event;
#[cfg(feature = "tokio")]
use crate::message::Message;

impl<'b> Event<'b> {
    /// The value that a message tells as JSON. It may borrow from the message.
    ///
    /// JSON is text, and a binary message that has it is as good. A control frame tells no value.
    ///
    /// ```
    /// use sotong::Event;
    ///
    /// let event = Event::Text(r#"{"name":"소통","age":3}"#);
    /// let value: serde_json::Value = event.json()?;
    /// assert_eq!(value["name"], "소통");
    /// let names: Vec<&str> = Event::Text(r#"["소","통"]"#).json()?; // without a copy
    /// assert_eq!(names, ["소", "통"]);
    /// assert!(Event::Text("{").json::<serde_json::Value>().is_err());
    /// # Ok::<(), sotong::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Json`].
    pub fn json<T: Deserialize<'b>>(&self) -> Result<T> {
        let value = match *self {
            Event::Text(text) => serde_json::from_str(text),
            Event::Binary(bytes) => serde_json::from_slice(bytes),
            _ => Err(no_message()),
        };
        value.map_err(Error::Json)
    }
}

#[cfg(feature = "tokio")]
impl Message {
    /// A text message that tells a value as JSON.
    ///
    /// ```
    /// use sotong::Message;
    ///
    /// let message = Message::from_json(&["소", "통"])?;
    /// assert_eq!(message, Message::from(r#"["소","통"]"#));
    /// assert_eq!(message.json::<Vec<String>>()?, ["소", "통"]);
    /// # Ok::<(), sotong::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Json`]: the value cannot be told as JSON.
    pub fn from_json<T: Serialize + ?Sized>(value: &T) -> Result<Self> {
        to_text(value).map(Self::from)
    }

    /// The value that a message tells as JSON; as [`Event::json`].
    ///
    /// For an example see [`from_json`](Self::from_json).
    ///
    /// # Errors
    ///
    /// [`Error::Json`].
    pub fn json<'m, T: Deserialize<'m>>(&'m self) -> Result<T> {
        let value = match self {
            Self::Text(text) => serde_json::from_str(text),
            Self::Binary(bytes) => serde_json::from_slice(bytes),
            _ => Err(no_message()),
        };
        value.map_err(Error::Json)
    }
}

/// A value as the text that is sent.
pub(crate) fn to_text<T: Serialize + ?Sized>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(Error::Json)
}

fn no_message() -> serde_json::Error {
    serde_json::Error::custom("a control frame tells no value")
}
