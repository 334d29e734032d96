//! The `Sec-WebSocket-Extensions` grammar (RFC 6455, section 9.1).
//!
//! ```text
//! extension-list  = 1#extension
//! extension       = token *( ";" extension-param )
//! extension-param = token [ "=" (token | quoted-string) ]    the quoted string holds a token
//! ```

use alloc::borrow::Cow;
use alloc::string::String;

/// An extension as a header names it.
///
/// ```
/// use sotong::handshake::server::Handshake;
/// use sotong::{Config, ReceiveBuffer};
///
/// let mut rx = ReceiveBuffer::with_capacity(512);
/// rx.extend(b"GET / HTTP/1.1\r\nSec-WebSocket-Extensions: ");
/// rx.extend(b"permessage-deflate; server_max_window_bits=12\r\n\r\n");
/// let request = Handshake::new(&Config::default()).receive(&mut rx)?.expect("it is complete");
/// let offer = request.extensions().next().expect("there is one");
/// assert_eq!(offer.name, "permessage-deflate");
/// assert!(offer.parameters().eq([("server_max_window_bits", Some("12".into()))]));
/// # Ok::<(), sotong::handshake::HandshakeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extension<'h> {
    /// Its registered name, as `permessage-deflate`.
    pub name: &'h str,
    parameters: &'h str,
}

/// A parameter of an extension: its name, and its value if it has one.
///
/// For an example see [`Extension`].
pub type Parameter<'h> = (&'h str, Option<Cow<'h, str>>);

/// A header that does not follow the grammar: "the recipient of such malformed data MUST
/// immediately _Fail the WebSocket Connection_".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl<'h> Extension<'h> {
    /// The extensions of one header value, in order of preference.
    pub(crate) fn list(value: &'h str) -> impl Iterator<Item = Result<Self, Malformed>> {
        let mut scanner = Scanner { rest: value };
        let mut found = false;
        core::iter::from_fn(move || {
            scanner.skip_empty_elements();
            if scanner.rest.is_empty() {
                // An empty list is malformed; it is told once.
                return (!core::mem::replace(&mut found, true)).then_some(Err(Malformed));
            }
            found = true;
            let extension = scanner.extension();
            if extension.is_err() {
                scanner.rest = "";
            }
            Some(extension)
        })
    }

    /// The parameters, in order.
    ///
    /// For an example see [`Extension`](Self).
    pub fn parameters(&self) -> impl Iterator<Item = Parameter<'h>> + use<'h> {
        let mut scanner = Scanner { rest: self.parameters };
        core::iter::from_fn(move || scanner.parameter().ok().flatten())
    }
}

struct Scanner<'h> {
    rest: &'h str,
}

impl<'h> Scanner<'h> {
    fn extension(&mut self) -> Result<Extension<'h>, Malformed> {
        let name = self.token()?;
        let all = self.rest;
        while self.parameter()?.is_some() {}
        let parameters = &all[..all.len() - self.rest.len()];
        self.skip_space();
        match self.rest.bytes().next() {
            None | Some(b',') => Ok(Extension { name, parameters }),
            Some(_) => Err(Malformed),
        }
    }

    fn parameter(&mut self) -> Result<Option<Parameter<'h>>, Malformed> {
        self.skip_space();
        if !self.eat(b';') {
            return Ok(None);
        }
        self.skip_space();
        let name = self.token()?;
        self.skip_space();
        if !self.eat(b'=') {
            return Ok(Some((name, None)));
        }
        self.skip_space();
        let value = if self.eat(b'"') { self.quoted()? } else { Cow::Borrowed(self.token()?) };
        Ok(Some((name, Some(value))))
    }

    fn token(&mut self) -> Result<&'h str, Malformed> {
        let token = self.skip(|b| TOKEN.contains(b));
        if token.is_empty() { Err(Malformed) } else { Ok(token) }
    }

    /// The rest of a quoted string: "the value after quoted-string unescaping MUST conform to the
    /// token ABNF".
    fn quoted(&mut self) -> Result<Cow<'h, str>, Malformed> {
        let start = self.rest;
        if let Ok(token) = self.token()
            && self.eat(b'"')
        {
            return Ok(Cow::Borrowed(token));
        }
        self.rest = start;
        let mut value = String::new();
        let mut bytes = self.rest.bytes();
        loop {
            let byte = match bytes.next() {
                Some(b'"') if !value.is_empty() => break,
                Some(b'\\') => bytes.next(),
                other => other,
            };
            let byte = byte.filter(|b| TOKEN.contains(*b)).ok_or(Malformed)?;
            value.push(char::from(byte));
        }
        self.rest = &self.rest[self.rest.len() - bytes.len()..];
        Ok(Cow::Owned(value))
    }

    /// "Null elements are allowed, but do not contribute to the count of elements" (RFC 2616, 2.1).
    fn skip_empty_elements(&mut self) {
        self.skip(|b| matches!(b, b' ' | b'\t' | b','));
    }

    fn skip_space(&mut self) {
        self.skip(|b| matches!(b, b' ' | b'\t'));
    }

    /// Passes over ASCII bytes of a kind, and says which.
    fn skip(&mut self, is_kind: impl Fn(u8) -> bool) -> &'h str {
        let end = self.rest.bytes().position(|b| !is_kind(b));
        let (skipped, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        skipped
    }

    fn eat(&mut self, byte: u8) -> bool {
        let is_next = self.rest.as_bytes().first() == Some(&byte);
        if is_next {
            self.rest = &self.rest[1..];
        }
        is_next
    }
}

/// Letters, digits and some marks, in a table: text is looked at byte by byte.
pub(crate) struct AsciiSet([bool; 256]);

impl AsciiSet {
    pub(crate) const fn alphanumeric_and(marks: &[u8]) -> Self {
        let mut table = [false; 256];
        let mut byte = 0;
        while byte < table.len() {
            table[byte] = (byte as u8).is_ascii_alphanumeric();
            byte += 1;
        }
        let mut i = 0;
        while i < marks.len() {
            table[marks[i] as usize] = true;
            i += 1;
        }
        Self(table)
    }

    pub(crate) fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte)]
    }
}

/// What may stand in a token (RFC 9110, section 5.6.2).
pub(crate) static TOKEN: AsciiSet = AsciiSet::alphanumeric_and(b"!#$%&'*+-.^_`|~");

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::vec::Vec;

    /// Name and parameters as one string each, or nothing if the header is malformed.
    fn read(value: &str) -> Option<Vec<String>> {
        let line = |extension: Extension<'_>| {
            extension.parameters().fold(String::from(extension.name), |line, (name, value)| {
                match value {
                    Some(value) => format!("{line}|{name}={value}"),
                    None => format!("{line}|{name}"),
                }
            })
        };
        Extension::list(value).map(|extension| extension.map(line)).collect::<Result<_, _>>().ok()
    }

    #[test]
    fn lists_parameters_and_quotes_follow_the_grammar() {
        let table: [(&str, &[&str]); 7] = [
            ("foo", &["foo"]),
            ("foo, bar; baz=2", &["foo", "bar|baz=2"]),
            ("deflate-stream ; a = \"b\" ;c", &["deflate-stream|a=b|c"]),
            (
                "mux; max-channels=4; flow-control, deflate-stream",
                &["mux|max-channels=4|flow-control", "deflate-stream"],
            ),
            (", ,a,,b;x=\"1\\5\",", &["a", "b|x=15"]),
            ("constructor", &["constructor"]),
            ("a\t;\tb", &["a|b"]),
        ];
        for (value, expected) in table {
            assert_eq!(read(value).as_deref().unwrap_or_default(), expected, "{value}");
        }
    }

    #[test]
    fn what_the_grammar_does_not_know_is_malformed() {
        for value in [
            "",
            " ",
            ",",
            ";",
            "a;",
            "a;;b",
            "a=b",
            "a; b=",
            "a; =b",
            "a b",
            "a; b c",
            "a; b=\"",
            "a; b=\"\"",
            "a; b=\"c",
            "a; b=\"c d\"",
            "a; b=\"\\\"\"",
            "a; b=\"\\",
            "a, b;",
            "é",
            "a; b=é",
            "a; b=\"é\"",
            "@",
        ] {
            assert_eq!(read(value), None, "{value:?}");
        }
    }

    #[test]
    fn a_set_has_letters_digits_and_its_marks() {
        let set = AsciiSet::alphanumeric_and(b"+/");
        for byte in 0..=u8::MAX {
            let expected = byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
            assert_eq!(set.contains(byte), expected, "{byte:#x}");
        }
    }

    /// Fewer under an interpreter, which takes a thousand times as long.
    const OFFERS: usize = if cfg!(miri) { 100 } else { 10_000 };

    #[test]
    fn long_headers_are_read_once() {
        let offers = "a; b=\"\\c\", ".repeat(OFFERS);
        assert_eq!(Extension::list(&offers).filter(|e| e.is_ok()).count(), OFFERS);
        let endless = format!("a; b=\"{}", "\\c".repeat(10 * OFFERS));
        assert_eq!(read(&endless), None);
    }
}
