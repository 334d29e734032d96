//! What the fuzz targets do with their input, as plain functions: `fuzz_targets/` hands them to
//! libFuzzer, `tests/corpus.rs` replays the corpus through them.

#[path = "../../tests/common/mod.rs"]
pub mod common;
#[path = "../../tests/common/heap.rs"]
pub mod heap;
#[path = "../../tests/model/mod.rs"]
pub mod model;
#[path = "../../tests/adapters/scripted.rs"]
pub mod scripted;
#[path = "../../tests/common/ways.rs"]
pub mod ways;

mod adapters;
mod bounds;
mod extension;
mod handshake;
mod opening;
mod pair;
pub mod seeds;
mod stream;

pub use adapters::adapters;
pub use extension::extension;
pub use handshake::{handshake_client, handshake_server};
pub use pair::pair;
pub use stream::{client, inflate, server};

/// What a target does with its input.
pub type Target = fn(&[u8]);

/// Every target by its name.
pub const TARGETS: [(&str, Target); 8] = [
    ("server", server),
    ("client", client),
    ("pair", pair),
    ("handshake_server", handshake_server),
    ("handshake_client", handshake_client),
    ("extension", extension),
    ("inflate", inflate),
    ("adapters", adapters),
];
