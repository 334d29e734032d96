pub fn extension(_: &[u8]) {}
