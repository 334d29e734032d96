//! The halves of a split connection under all schedules that matter: a model checker runs each
//! scenario again and again, and at every lock lets another thread go first.
//!
//! What is looked for: a thread that waits for ever, frames that mix, a message that is lost or told
//! to be written when it is not, two Close frames, a ping without its pong.

mod blocking;
mod peer;
mod scenario;
