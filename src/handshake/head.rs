//! HTTP heads: where one ends, and what its header fields are (RFC 9112, sections 2 to 5).

use alloc::vec::Vec;
use core::iter;
use core::mem::MaybeUninit;
use core::ops::Range;

use super::HandshakeError;
use crate::buffer::ReceiveBuffer;
use crate::config::Limits;

/// A place for a field, which has nothing in it before the parser comes.
pub(super) type Field<'b> = MaybeUninit<httparse::Header<'b>>;

/// The search for the end of a head that trickles in: every byte is looked at once.
#[derive(Debug)]
pub(super) struct HeadSearch {
    searched: usize,
    /// Lines that are complete.
    lines: usize,
    line_start: usize,
    max_bytes: usize,
    max_lines: usize,
}

impl HeadSearch {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            searched: 0,
            lines: 0,
            line_start: 0,
            max_bytes: limits.head,
            max_lines: limits.head_lines,
        }
    }

    /// The next head, as `parse` understands it, and its length; `None` if there is more to come.
    ///
    /// The unparsed bytes are those of the call before and what came since. `parse` gets a head and a
    /// place for its fields; it returns nothing if that is no head, or not one alone.
    pub(super) fn read<T>(
        &mut self,
        rx: &ReceiveBuffer,
        parse: impl for<'b> Fn(&'b [u8], &mut [Field<'b>]) -> Option<T>,
    ) -> Result<Option<(T, usize)>, HandshakeError> {
        let (bytes, max) = (rx.unparsed(), self.max_bytes.min(rx.capacity()));
        let (head, len) = match self.parse_at_once(bytes, max, &parse) {
            Some(head) => (head, bytes.len()),
            None => {
                let Some(len) = self.find_in(bytes, max)? else { return Ok(None) };
                let mut fields = Vec::with_capacity(self.lines);
                let head = parse(&bytes[..len], fields.spare_capacity_mut());
                (head.ok_or(HandshakeError::Malformed)?, len)
            }
        };
        (self.searched, self.lines, self.line_start) = (0, 0, 0);
        Ok(Some((head, len)))
    }

    /// What ends with an empty line is one whole head as a rule, and then the parser alone finds its
    /// lines. If it does not like them the search tells why; it will not ask for more, so that no byte
    /// is parsed over and over.
    fn parse_at_once<T>(
        &self,
        bytes: &[u8],
        max: usize,
        parse: impl for<'b> Fn(&'b [u8], &mut [Field<'b>]) -> Option<T>,
    ) -> Option<T> {
        let mut fields = [const { Field::uninit() }; FEW_LINES];
        match bytes {
            [b'!'..=b'~', .., b'\r', b'\n', b'\r', b'\n'] if bytes.len() <= max => {
                // The first line is no field.
                parse(bytes, fields.get_mut(1..self.max_lines.min(FEW_LINES))?)
            }
            _ => None,
        }
    }

    /// The length of the head with its empty line; `None` if there is more to come.
    fn find_in(&mut self, bytes: &[u8], max: usize) -> Result<Option<usize>, HandshakeError> {
        let searchable = &bytes[..bytes.len().min(max)];
        // A method or a version begins with a letter, an empty line with CR: whoever speaks something
        // else, as TLS, is not waited for.
        if !matches!(searchable, [] | [b'\r' | b'!'..=b'~', ..]) {
            return Err(HandshakeError::Malformed);
        }
        while let Some(feed) = find_feed(&searchable[self.searched..]) {
            let end = self.searched + feed + 1;
            // Section 2.2 of RFC 9112 lets a recipient take a bare LF for a line's end; what is
            // behind us may read it differently, so we do not.
            let Some(line) = searchable[self.line_start..end].strip_suffix(b"\r\n") else {
                return Err(HandshakeError::Malformed);
            };
            (self.searched, self.line_start) = (end, end);
            // "A server SHOULD ignore at least one empty line received prior to the request-line"
            // (2.2).
            if line.is_empty() && self.lines > 0 {
                return Ok(Some(end));
            }
            self.lines += 1;
            if self.lines > self.max_lines {
                return Err(HandshakeError::TooManyLines);
            }
        }
        self.searched = searchable.len();
        match self.lines {
            _ if bytes.len() < max => Ok(None),
            0 => Err(HandshakeError::TargetTooLong),
            _ => Err(HandshakeError::HeadTooLarge),
        }
    }
}

/// Heads of up to so many lines are parsed without an allocation. Browsers send 15 to 20.
const FEW_LINES: usize = 64;

/// Whether every line of a head that was parsed, and does not begin with an empty one, ends with CR
/// LF: the parser takes a bare LF too.
pub(super) fn has_whole_lines(head: &[u8], fields: &[httparse::Header<'_>]) -> bool {
    let follows_line = |field: &httparse::Header<'_>| {
        head[..offset(head, field.name.as_bytes())].ends_with(b"\r\n")
    };
    fields.iter().all(follows_line) && head.ends_with(b"\r\n\r\n")
}

/// Where in a head a part of it begins.
pub(super) fn offset(head: &[u8], part: &[u8]) -> usize {
    part.as_ptr().addr() - head.as_ptr().addr()
}

/// The header fields of a head, in order, as they came.
///
/// Names compare without regard to case. Values are bytes: HTTP does not say what text they are.
///
/// ```
/// use sotong::handshake::server::Handshake;
/// use sotong::{Config, ReceiveBuffer};
///
/// let mut rx = ReceiveBuffer::with_capacity(512);
/// rx.extend(b"GET / HTTP/1.1\r\nHost: example.com\r\nCookie: a=1\r\nCookie: b=2\r\n\r\n");
/// let request = Handshake::new(&Config::default()).receive(&mut rx)?.expect("it is complete");
/// let headers = request.headers();
/// assert_eq!(headers.text("host"), Some("example.com"));
/// assert_eq!(headers.get("cookie"), Some(&b"a=1"[..]));
/// assert!(headers.all("cookie").eq([b"a=1", b"b=2"]));
/// assert!(headers.iter().map(|(name, _)| name).eq(["Host", "Cookie", "Cookie"]));
/// # Ok::<(), sotong::handshake::HandshakeError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headers {
    /// The whole head, which has passed the parser.
    head: Vec<u8>,
}

impl Headers {
    pub(super) fn keep(head: &[u8]) -> Self {
        Self { head: head.to_vec() }
    }

    /// The value of the first field of that name, without the white space around it.
    ///
    /// For an example see [`Headers`](Self).
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.all(name).next()
    }

    /// The value of the first field of that name, if it is text.
    ///
    /// For an example see [`Headers`](Self).
    pub fn text(&self, name: &str) -> Option<&str> {
        core::str::from_utf8(self.get(name)?).ok()
    }

    /// The values of all fields of that name.
    ///
    /// For an example see [`Headers`](Self).
    pub fn all(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.lines().skip(1).filter_map(move |line| {
            let (own, rest) = line.split_at_checked(name.len())?;
            let value = rest.strip_prefix(b":")?;
            // A name with a colon is none, and must not match the start of a value.
            let is_own = own.eq_ignore_ascii_case(name.as_bytes()) && !own.contains(&b':');
            is_own.then(|| value.trim_ascii())
        })
    }

    /// All names and values.
    ///
    /// For an example see [`Headers`](Self).
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.lines().skip(1).filter_map(|line| {
            let colon = line.iter().position(|b| *b == b':')?;
            let name = core::str::from_utf8(&line[..colon]).ok()?;
            Some((name, line[colon + 1..].trim_ascii()))
        })
    }

    /// What stands at that place in the head.
    pub(super) fn at(&self, place: Range<usize>) -> &[u8] {
        &self.head[place]
    }

    /// The first line.
    pub(super) fn start(&self) -> &str {
        self.lines().next().and_then(|line| core::str::from_utf8(line).ok()).unwrap_or_default()
    }

    /// The lines with something on them, without their ends.
    fn lines(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &self.head[..];
        let lines = iter::from_fn(move || {
            let (line, after) = rest.split_at(find_feed(rest)? + 1);
            rest = after;
            Some(line.trim_ascii_end())
        });
        lines.filter(|line| !line.is_empty())
    }
}

/// Where the first line feed is, found by eight bytes at a time.
fn find_feed(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    let (words, rest) = bytes.as_chunks();
    for (i, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word) ^ (ONES * u64::from(b'\n'));
        // The lowest of the high bits is that of the first byte which is zero: only such a byte
        // borrows, and what it borrows from lies above it.
        let zeros = word.wrapping_sub(ONES) & !word & (ONES << 7);
        if zeros != 0 {
            return Some(8 * i + zeros.trailing_zeros() as usize / 8);
        }
    }
    let at = rest.iter().position(|b| *b == b'\n')?;
    Some(bytes.len() - rest.len() + at)
}

/// Whether it is the field of that name, without regard to case. Mostly it is spelled just so.
pub(super) fn is_named(field: &httparse::Header<'_>, name: &str) -> bool {
    field.name == name || field.name.eq_ignore_ascii_case(name)
}

/// The elements of a list in one field value (RFC 9110, section 5.6.1), as bytes without white
/// space.
pub(super) fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|b| *b == b',').map(<[u8]>::trim_ascii)
}

/// Whether a list names `token`, without regard to case. Mostly it names nothing else.
pub(super) fn names(value: &[u8], token: &str) -> bool {
    value == token.as_bytes()
        || elements(value).any(|element| element.eq_ignore_ascii_case(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(max_bytes: usize, max_lines: usize) -> HeadSearch {
        let mut limits = Limits::default();
        (limits.head, limits.head_lines) = (max_bytes, max_lines);
        HeadSearch::new(&limits)
    }

    #[test]
    fn names_and_values_are_told_in_their_order() {
        let headers = Headers::keep(b"GET / HTTP/1.1\r\nHost: a:80\r\nX:\r\nhost:\t b \r\n\r\n");
        let expected = [("Host", &b"a:80"[..]), ("X", b""), ("host", b"b")];
        assert!(headers.iter().eq(expected), "{:?}", headers.iter().collect::<Vec<_>>());
    }

    type Verdict = Option<(usize, Result<usize, HandshakeError>)>;

    /// The verdict, and after how many bytes it came when they came one by one.
    fn trickle(
        head: &[u8],
        mut search: HeadSearch,
    ) -> Option<(usize, Result<usize, HandshakeError>)> {
        (0..=head.len())
            .find_map(|n| Some((n, search.find_in(&head[..n], search.max_bytes).transpose()?)))
    }

    #[test]
    fn a_head_ends_with_its_empty_line_and_breaks_at_its_first_fault() {
        let table: [(&[u8], Verdict); 8] = [
            (b"G\r\n\r\nmore", Some((5, Ok(5)))),
            (b"\r\nG\r\nH:\r\n\r\n", Some((11, Ok(11)))),
            (b"G\r\nH", None),
            (b"G\n\n", Some((2, Err(HandshakeError::Malformed)))),
            (b"\n", Some((1, Err(HandshakeError::Malformed)))),
            (b"G\r\n\n", Some((4, Err(HandshakeError::Malformed)))),
            (&[b'A'; 30], Some((20, Err(HandshakeError::TargetTooLong)))),
            (b"G\r\nAAAAAAAAAAAAAAAAAAAAAAAA", Some((20, Err(HandshakeError::HeadTooLarge)))),
        ];
        for (head, expected) in table {
            assert_eq!(trickle(head, search(20, 5)), expected, "{}", head.escape_ascii());
            let whole = search(20, 5).find_in(head, 20).transpose();
            assert_eq!(whole, expected.map(|(_, verdict)| verdict));
        }
        let repeated = b"GET\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\n";
        let expected = Some((23, Err(HandshakeError::TooManyLines)));
        assert_eq!(trickle(repeated, search(1000, 4)).map(|t| t.1), expected.map(|t| t.1));
    }

    #[test]
    fn a_line_feed_is_found_wherever_it_is() {
        for other in [0, 9, 11, b'\r', 0x7f, 0x80, 0x8a, 0xff] {
            for at in 0..40 {
                let mut bytes = [other; 40];
                assert_eq!(find_feed(&bytes[..at]), None);
                bytes[at..].fill(b'\n');
                assert_eq!(find_feed(&bytes), Some(at), "{other}");
            }
        }
    }

    #[test]
    fn fields_are_found_by_name_in_any_case_and_values_are_trimmed() {
        let headers = Headers::keep(b"GET / HTTP/1.1\r\nA: 1\r\nb:\t\xff \r\nC:\r\na:2:3\r\n\r\n");
        assert_eq!(headers.start(), "GET / HTTP/1.1");
        assert_eq!(headers.get("a"), Some(&b"1"[..]));
        assert_eq!(headers.get("B"), Some(&b"\xff"[..]));
        assert_eq!(
            (headers.text("B"), headers.text("c"), headers.get("d")),
            (None, Some(""), None)
        );
        assert!(headers.all("A").eq([&b"1"[..], b"2:3"]));
        assert_eq!((headers.get("a:2"), headers.get("")), (None, None));
        assert_eq!(headers.iter().count(), 4);
    }
}
