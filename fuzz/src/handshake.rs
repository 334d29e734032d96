pub fn handshake_server(_: &[u8]) {}
pub fn handshake_client(_: &[u8]) {}
