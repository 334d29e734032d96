//! The halves of a split connection under all schedules that matter: a model checker runs each
//! scenario again and again, and at every lock lets another thread go first.
//!
//! What is looked for: a thread or a task that waits for ever, frames that mix, a message that is
//! lost or told to be written when it is not, two Close frames, a ping without its pong.
//!
//! ```sh
//! cargo test --release --manifest-path tests/concurrency/Cargo.toml -- --nocapture
//! ```
//!
//! tries 100,000 schedules in ten seconds, all that interrupt a thread at most three times where it
//! could go on. With `LOOM_MAX_PREEMPTIONS=4` before it there are 800,000.

mod blocking;
mod peer;
mod scenario;
mod tokio;
