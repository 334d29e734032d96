//! Offers and answers (RFC 7692, sections 5.1 and 7.1).

use alloc::format;
use alloc::string::String;

use super::{Codec, Deflate};
use crate::extension::Extension;

/// What both ends agreed on (RFC 7692, section 7.1). With the feature `deflate` its default is what
/// an answer without parameters agrees on; without, there is no value.
///
/// For a connection whose handshake was done elsewhere:
///
/// ```
/// # #[cfg(feature = "deflate")] {
/// use sotong::{Agreed, Config, Connection, DeflateParameters};
///
/// let mut agreed = Agreed::default();
/// agreed.deflate = Some(DeflateParameters::default());
/// let conn = Connection::server(Config::default(), agreed);
/// assert_eq!(conn.agreed(), agreed);
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeflateParameters {
    /// Whether each message of the server is compressed on its own.
    pub server_no_context_takeover: bool,
    /// Whether each message of the client is compressed on its own.
    pub client_no_context_takeover: bool,
    /// The window of the server's messages, as a power of two: 8 to 15.
    pub server_max_window_bits: u8,
    /// The window of the client's messages, as a power of two: 8 to 15.
    pub client_max_window_bits: u8,
    pub(super) codec: Codec,
}

#[cfg(feature = "deflate")]
impl Default for DeflateParameters {
    /// What an offer and an answer without parameters agree on: full windows, with context.
    fn default() -> Self {
        Self {
            server_no_context_takeover: false,
            client_no_context_takeover: false,
            server_max_window_bits: 15,
            client_max_window_bits: 15,
            codec: Codec,
        }
    }
}

impl DeflateParameters {
    /// Settings for a connection that has agreed and was given none.
    pub(crate) const fn default_settings(&self) -> Deflate {
        Deflate::with(self.codec)
    }
}

/// The parameters as they stand in an offer or an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Parameters {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<u8>,
    /// In an offer the value may be missing: then any may be asked for.
    client_max_window_bits: Option<Option<u8>>,
}

impl Parameters {
    /// Nothing if a parameter is not known, stands there twice or has a wrong value: such an offer
    /// is declined, such an answer fails the connection (sections 7.1 to 7.1.2).
    fn read(extension: &Extension<'_>) -> Option<Self> {
        let mut parameters = Self::default();
        for (name, value) in extension.parameters() {
            let is_new = match (name, value.as_deref()) {
                ("server_no_context_takeover", None) => {
                    !core::mem::replace(&mut parameters.server_no_context_takeover, true)
                }
                ("client_no_context_takeover", None) => {
                    !core::mem::replace(&mut parameters.client_no_context_takeover, true)
                }
                ("server_max_window_bits", Some(value)) => {
                    parameters.server_max_window_bits.replace(window_bits(value)?).is_none()
                }
                ("client_max_window_bits", value) => {
                    let bits = value.map(|value| window_bits(value).ok_or(())).transpose().ok()?;
                    parameters.client_max_window_bits.replace(bits).is_none()
                }
                _ => false,
            };
            if !is_new {
                return None;
            }
        }
        Some(parameters)
    }
}

/// "A decimal integer value without leading zeroes between 8 to 15, inclusive" (section 7.1.2).
fn window_bits(value: &str) -> Option<u8> {
    let bits = value.parse().ok().filter(|bits| (8..=15).contains(bits))?;
    let has_padding = value.starts_with(['0', '+']);
    (!has_padding).then_some(bits)
}

impl Deflate {
    /// The name it is registered under (section 7).
    pub(crate) const NAME: &str = "permessage-deflate";

    /// A server's answer to the first offer that it can serve, and how the header says it.
    pub(crate) fn answer<'h>(
        &self,
        mut offers: impl Iterator<Item = Extension<'h>>,
    ) -> Option<(DeflateParameters, String)> {
        let settings = self.clamped();
        offers.find_map(|offer| match offer.name {
            Self::NAME => settings.answer_one(&Parameters::read(&offer)?),
            _ => None,
        })
    }

    fn answer_one(&self, offer: &Parameters) -> Option<(DeflateParameters, String)> {
        let server_bits = self.window_bits.min(offer.server_max_window_bits.unwrap_or(15));
        // A value in the offer is a hint: the client uses no larger window. The answer has "a value equal
        // to or smaller than the received value", or none (section 7.1.2.2).
        let client_bits = match offer.client_max_window_bits {
            _ if self.peer_window_bits == 15 => 15,
            None => return None, // it cannot be told to use a smaller one
            Some(hint) => hint.unwrap_or(15).min(self.peer_window_bits),
        };
        if server_bits.min(client_bits) < Self::MIN_WINDOW_BITS {
            return None;
        }
        let agreed = DeflateParameters {
            server_no_context_takeover: offer.server_no_context_takeover || !self.context_takeover,
            client_no_context_takeover: offer.client_no_context_takeover
                || !self.peer_context_takeover,
            server_max_window_bits: server_bits,
            client_max_window_bits: client_bits,
            codec: self.codec,
        };
        let header = header(
            agreed.server_no_context_takeover,
            agreed.client_no_context_takeover,
            // "A server accepts an offer with this parameter by including it" (section 7.1.2.1).
            (server_bits < 15 || offer.server_max_window_bits.is_some()).then_some(server_bits),
            (client_bits < 15).then(|| format!("={client_bits}")).as_deref(),
        );
        Some((agreed, header))
    }

    /// A client's offer, as the header says it.
    pub(crate) fn offer(&self) -> String {
        let settings = self.clamped();
        header(
            !settings.peer_context_takeover,
            !settings.context_takeover,
            (settings.peer_window_bits < 15).then_some(settings.peer_window_bits),
            // Without a value it says that any may be asked for, with one what is used at most.
            Some(match settings.window_bits {
                15 => String::new(),
                bits => format!("={bits}"),
            })
            .as_deref(),
        )
    }

    /// What a server's answer to [`offer`](Self::offer) agrees on; nothing if it breaks a rule.
    pub(crate) fn accept(&self, answer: &Extension<'_>) -> Option<DeflateParameters> {
        let settings = self.clamped();
        let answer = Parameters::read(answer)?;
        let server_bits = answer.server_max_window_bits.unwrap_or(15);
        // Both were asked for, if they were, as what a server must grant or decline the offer
        // (sections 7.1.1.1 and 7.1.2.1).
        if server_bits > settings.peer_window_bits
            || !(settings.peer_context_takeover || answer.server_no_context_takeover)
        {
            return None;
        }
        let client_bits = match answer.client_max_window_bits {
            None => 15,
            Some(bits) => bits?, // an answer has a value (section 7.1.2.2)
        };
        Some(DeflateParameters {
            server_no_context_takeover: answer.server_no_context_takeover,
            client_no_context_takeover: answer.client_no_context_takeover,
            server_max_window_bits: server_bits,
            client_max_window_bits: client_bits,
            codec: self.codec,
        })
    }
}

fn header(
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<u8>,
    client_max_window_bits: Option<&str>,
) -> String {
    let mut header = String::from(Deflate::NAME);
    if server_no_context_takeover {
        header.push_str("; server_no_context_takeover");
    }
    if client_no_context_takeover {
        header.push_str("; client_no_context_takeover");
    }
    if let Some(bits) = server_max_window_bits {
        header.push_str(&format!("; server_max_window_bits={bits}"));
    }
    if let Some(value) = client_max_window_bits {
        header.push_str("; client_max_window_bits");
        header.push_str(value);
    }
    header
}

#[cfg(all(test, feature = "deflate"))]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn settings(change: impl FnOnce(&mut Deflate)) -> Deflate {
        let mut settings = Deflate::default();
        (settings.context_takeover, settings.peer_context_takeover) = (true, true);
        change(&mut settings);
        settings
    }

    fn extensions(header: &str) -> Vec<Extension<'_>> {
        Extension::list(header).collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn a_server_answers_the_first_offer_that_it_can_serve() {
        let full = settings(|_| {});
        let small = settings(|s| (s.window_bits, s.peer_window_bits) = (10, 11));
        let forgetful = Deflate::default();
        let table: [(&Deflate, &str, Option<&str>); 28] = [
            (&full, "permessage-deflate", Some("")),
            (&full, "permessage-deflate; client_max_window_bits", Some("")),
            (&full, "permessage-deflate; client_max_window_bits=9", Some("")),
            (
                &full,
                "permessage-deflate; server_max_window_bits=15",
                Some("; server_max_window_bits=15"),
            ),
            (
                &full,
                "permessage-deflate; server_max_window_bits=\"9\"",
                Some("; server_max_window_bits=9"),
            ),
            (&full, "permessage-deflate; server_max_window_bits=8", None),
            (&full, "permessage-deflate; server_max_window_bits=8, permessage-deflate", Some("")),
            (
                &full,
                "permessage-deflate; server_no_context_takeover",
                Some("; server_no_context_takeover"),
            ),
            (
                &full,
                "permessage-deflate; client_no_context_takeover",
                Some("; client_no_context_takeover"),
            ),
            (&full, "x-webkit-deflate-frame, mux; a=b, permessage-deflate", Some("")),
            (&full, "constructor", None),
            (&full, "permessage-deflate; x", None),
            (&full, "permessage-deflate; x, permessage-deflate", Some("")),
            (
                &full,
                "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
                None,
            ),
            (&full, "permessage-deflate; server_no_context_takeover=1", None),
            (&full, "permessage-deflate; client_max_window_bits; client_max_window_bits=9", None),
            (&full, "permessage-deflate; server_max_window_bits=9; server_max_window_bits=9", None),
            (&full, "permessage-deflate; server_max_window_bits", None),
            (&full, "permessage-deflate; server_max_window_bits=7", None),
            (&full, "permessage-deflate; client_max_window_bits=16", None),
            (&full, "permessage-deflate; client_max_window_bits=08", None),
            (&full, "permessage-deflate; client_max_window_bits=+9", None),
            (&small, "permessage-deflate", None),
            (
                &small,
                "permessage-deflate; client_max_window_bits",
                Some("; server_max_window_bits=10; client_max_window_bits=11"),
            ),
            (
                &small,
                "permessage-deflate; client_max_window_bits=9; server_max_window_bits=12",
                Some("; server_max_window_bits=10; client_max_window_bits=9"),
            ),
            (&small, "permessage-deflate; client_max_window_bits=8", None),
            (&full, "permessage-deflate; client_max_window_bits=8", Some("")),
            (
                &forgetful,
                "permessage-deflate; client_max_window_bits",
                Some("; server_no_context_takeover; client_no_context_takeover"),
            ),
        ];
        for (settings, offers, expected) in table {
            let answer = settings.answer(extensions(offers).into_iter()).map(|answer| answer.1);
            let expected = expected.map(|rest| format!("permessage-deflate{rest}"));
            assert_eq!(answer, expected, "{offers}");
        }
    }

    #[test]
    fn a_client_takes_an_answer_that_grants_what_it_asked_for() {
        let full = settings(|_| {});
        let small = settings(|s| (s.window_bits, s.peer_window_bits) = (10, 11));
        let forgetful = Deflate::default();
        assert_eq!(full.offer(), "permessage-deflate; client_max_window_bits");
        assert_eq!(
            small.offer(),
            "permessage-deflate; server_max_window_bits=11; client_max_window_bits=10"
        );
        assert_eq!(
            forgetful.offer(),
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
             client_max_window_bits"
        );
        // No takeover of the server and of the client, the windows of the server and of the client.
        type Expected = Option<(bool, bool, u8, u8)>;
        let table: [(&Deflate, &str, Expected); 18] = [
            (&full, "", Some((false, false, 15, 15))),
            (&full, "; server_max_window_bits=8", Some((false, false, 8, 15))),
            (&full, "; client_max_window_bits=8", Some((false, false, 15, 8))),
            (&full, "; client_max_window_bits", None),
            (&full, "; server_max_window_bits", None),
            (&full, "; server_max_window_bits=16", None),
            (&full, "; server_max_window_bits=7", None),
            (&full, "; server_max_window_bits=09", None),
            (&full, "; server_max_window_bits=9; server_max_window_bits=9", None),
            (&full, "; x", None),
            (&full, "; server_no_context_takeover", Some((true, false, 15, 15))),
            (&full, "; client_no_context_takeover", Some((false, true, 15, 15))),
            (&small, "", None),
            (&small, "; server_max_window_bits=12", None),
            (&small, "; server_max_window_bits=11", Some((false, false, 11, 15))),
            (
                &small,
                "; server_max_window_bits=9; client_max_window_bits=12",
                Some((false, false, 9, 12)),
            ),
            (&forgetful, "", None),
            (&forgetful, "; server_no_context_takeover", Some((true, false, 15, 15))),
        ];
        for (settings, rest, expected) in table {
            let answer = format!("permessage-deflate{rest}");
            let agreed = settings.accept(&extensions(&answer)[0]).map(|agreed| {
                (
                    agreed.server_no_context_takeover,
                    agreed.client_no_context_takeover,
                    agreed.server_max_window_bits,
                    agreed.client_max_window_bits,
                )
            });
            assert_eq!(agreed, expected, "{rest}");
        }
    }

    #[test]
    fn what_a_server_answers_its_client_accepts() {
        let choices = |f: fn(&mut Deflate, u8)| move |n: u8| settings(|s| f(s, n));
        for bits in 8..=16 {
            for takeover in 0..4 {
                let client =
                    choices(|s, n| (s.window_bits, s.peer_window_bits) = (n, 24 - n))(bits);
                let server = Deflate {
                    context_takeover: takeover & 1 != 0,
                    peer_context_takeover: takeover & 2 != 0,
                    window_bits: 17 - bits.min(15),
                    ..settings(|_| {})
                };
                let offer = client.offer();
                let (agreed, answer) = server.answer(extensions(&offer).into_iter()).unwrap();
                let accepted = client.accept(&extensions(&answer)[0]).unwrap();
                assert_eq!(accepted, agreed);
            }
        }
    }
}
