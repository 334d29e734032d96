//! What the documentation of `sotong::http` shows, to be compiled with the stack that it is about.
#![doc = include_str!("../../../src/http/hyper.md")]
