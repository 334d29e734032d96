//! HTTP heads: where one ends, and what its header fields are (RFC 9112, sections 2 to 5).

use alloc::vec::Vec;

use super::HandshakeError;
use crate::buffer::ReceiveBuffer;
use crate::config::Limits;

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

    /// The length of the head with its empty line; `None` if there is more to come.
    ///
    /// The unparsed bytes are those of the call before and what came since.
    pub(super) fn find(&mut self, rx: &ReceiveBuffer) -> Result<Option<usize>, HandshakeError> {
        self.find_in(rx.unparsed(), self.max_bytes.min(rx.capacity()))
    }

    fn find_in(&mut self, bytes: &[u8], max: usize) -> Result<Option<usize>, HandshakeError> {
        let searchable = &bytes[..bytes.len().min(max)];
        while let Some(feed) = searchable[self.searched..].iter().position(|b| *b == b'\n') {
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

    /// How many lines the head has that was found.
    pub(super) fn lines(&self) -> usize {
        self.lines
    }
}

/// The header fields of a head, in order, as they came.
///
/// Names compare without regard to case. Values are bytes: HTTP does not say what text they are.
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
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.all(name).next()
    }

    /// The value of the first field of that name, if it is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        core::str::from_utf8(self.get(name)?).ok()
    }

    /// The values of all fields of that name.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.iter().filter(move |field| field.0.eq_ignore_ascii_case(name)).map(|field| field.1)
    }

    /// All names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.lines().skip(1).filter_map(|line| {
            let colon = line.iter().position(|b| *b == b':')?;
            let name = core::str::from_utf8(&line[..colon]).ok()?;
            Some((name, line[colon + 1..].trim_ascii()))
        })
    }

    /// The first line.
    pub(super) fn start(&self) -> &str {
        self.lines().next().and_then(|line| core::str::from_utf8(line).ok()).unwrap_or_default()
    }

    /// The lines with something on them, without their ends.
    fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.head.split(|b| *b == b'\n').map(<[u8]>::trim_ascii_end).filter(|line| !line.is_empty())
    }
}

/// The elements of a list in one field value (RFC 9110, section 5.6.1), as bytes without white
/// space.
pub(super) fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|b| *b == b',').map(<[u8]>::trim_ascii)
}

/// Whether a list names `token`, without regard to case.
pub(super) fn names(value: &[u8], token: &str) -> bool {
    elements(value).any(|element| element.eq_ignore_ascii_case(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(max_bytes: usize, max_lines: usize) -> HeadSearch {
        let mut limits = Limits::default();
        (limits.head, limits.head_lines) = (max_bytes, max_lines);
        HeadSearch::new(&limits)
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
        assert_eq!(headers.iter().count(), 4);
    }
}
