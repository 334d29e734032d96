//! The grammar of extensions (RFC 6455, section 9.1) and the negotiation of permessage-deflate (RFC
//! 7692, section 7.1), read slowly.

/// An extension: its name, and its parameters with or without a value.
pub type Extension = (String, Vec<(String, Option<String>)>);

/// What a header's value is made of; white space may stand between any two.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Symbol {
    Token(String),
    /// Without its quotes and backslashes.
    Quoted(String),
    Mark(u8),
}

/// The extensions of one header value; nothing if it does not follow the grammar.
pub fn extensions(value: &[u8]) -> Option<Vec<Extension>> {
    let symbols = symbols(value)?;
    let elements = symbols.split(|symbol| *symbol == Symbol::Mark(b','));
    // "Null elements are allowed, but do not contribute to the count of elements present", of which
    // there must be one (RFC 2616, section 2.1).
    let elements: Vec<_> = elements.filter(|element| !element.is_empty()).collect();
    if elements.is_empty() { None } else { elements.into_iter().map(extension).collect() }
}

fn extension(element: &[Symbol]) -> Option<Extension> {
    let mut parts = element.split(|symbol| *symbol == Symbol::Mark(b';'));
    let [Symbol::Token(name)] = parts.next()? else { return None };
    let parameters = parts.map(|part| match part {
        [Symbol::Token(name)] => Some((name.clone(), None)),
        [Symbol::Token(name), Symbol::Mark(b'='), Symbol::Token(value) | Symbol::Quoted(value)] => {
            Some((name.clone(), Some(value.clone())))
        }
        _ => None,
    });
    Some((name.clone(), parameters.collect::<Option<_>>()?))
}

fn symbols(value: &[u8]) -> Option<Vec<Symbol>> {
    let mut symbols = vec![];
    let mut bytes = value.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b' ' | b'\t' => {}
            b',' | b';' | b'=' => symbols.push(Symbol::Mark(byte)),
            b'"' => {
                let mut quoted = vec![];
                loop {
                    match bytes.next()? {
                        b'"' => break,
                        b'\\' => quoted.push(bytes.next()?),
                        byte => quoted.push(byte),
                    }
                }
                // "The value after quoted-string unescaping MUST conform to the 'token' ABNF."
                symbols.push(Symbol::Quoted(token(&quoted)?));
            }
            _ => {
                let mut run = vec![byte];
                while let Some(byte) = bytes.next_if(|byte| is_token_byte(*byte)) {
                    run.push(byte);
                }
                symbols.push(Symbol::Token(token(&run)?));
            }
        }
    }
    Some(symbols)
}

/// These bytes, if they are a token (RFC 9110, section 5.6.2).
pub fn token(bytes: &[u8]) -> Option<String> {
    let is_token = !bytes.is_empty() && bytes.iter().all(|byte| is_token_byte(*byte));
    is_token.then(|| bytes.iter().map(|byte| char::from(*byte)).collect())
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// The parameters of permessage-deflate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parameters {
    pub server_no_context_takeover: bool,
    pub client_no_context_takeover: bool,
    pub server_max_window_bits: Option<u8>,
    /// In an offer it may stand without a value.
    pub client_max_window_bits: Option<Option<u8>>,
}

/// The parameters in an offer; nothing if it is another extension, or to be declined: it has "an
/// extension parameter not defined for use in an offer", one "with an invalid value", "multiple
/// extension parameters with the same name" (section 7.1).
pub fn parameters((name, list): &Extension) -> Option<Parameters> {
    let mut names: Vec<&str> = list.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    if name != "permessage-deflate" || names.windows(2).any(|pair| pair[0] == pair[1]) {
        return None;
    }
    let mut parameters = Parameters::default();
    for (name, value) in list {
        match (name.as_str(), value) {
            ("server_no_context_takeover", None) => parameters.server_no_context_takeover = true,
            ("client_no_context_takeover", None) => parameters.client_no_context_takeover = true,
            ("server_max_window_bits", Some(value)) => {
                parameters.server_max_window_bits = Some(bits(value)?);
            }
            ("client_max_window_bits", None) => parameters.client_max_window_bits = Some(None),
            ("client_max_window_bits", Some(value)) => {
                parameters.client_max_window_bits = Some(Some(bits(value)?));
            }
            _ => return None,
        }
    }
    Some(parameters)
}

/// "A decimal integer value without leading zeroes between 8 to 15, inclusive".
fn bits(value: &str) -> Option<u8> {
    (8..=15_u8).find(|bits| bits.to_string() == value)
}

/// Whether a server may give this answer to this offer (sections 7.1.1 and 7.1.2).
pub fn answers(answer: &Parameters, offer: &Parameters) -> bool {
    // "A server accepts an offer that includes the ... parameter by including" it.
    let takeover = answer.server_no_context_takeover || !offer.server_no_context_takeover;
    // The same, "with the same or smaller value as the offer".
    let server_bits = match (offer.server_max_window_bits, answer.server_max_window_bits) {
        (Some(offered), Some(answered)) => answered <= offered,
        (Some(_), None) => false,
        (None, _) => true,
    };
    // "If a received ... offer doesn't have the client_max_window_bits ... the ... response MUST
    // NOT include" it; else it has a value "equal to or smaller than the received value".
    let client_bits = match (offer.client_max_window_bits, answer.client_max_window_bits) {
        (_, None) => true,
        (None, Some(_)) | (_, Some(None)) => false,
        (Some(None), Some(Some(_))) => true,
        (Some(Some(offered)), Some(Some(answered))) => answered <= offered,
    };
    takeover && server_bits && client_bits
}
