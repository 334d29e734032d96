//! What the properties draw, and how often.

use proptest::prelude::*;
use sotong::Role;

pub fn role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Client), Just(Role::Server)]
}

/// An interpreter takes a thousand times as long.
const FEWER: u32 = if cfg!(miri) { 50 } else { 1 };

pub fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases: cases.div_ceil(FEWER),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}
