pub fn adapters(_: &[u8]) {}
