//! The committed corpus through every target, on any toolchain; and noise, so that a target is not
//! only right about its own corpus.

use std::fs;
use std::path::Path;

use sotong_fuzz::{TARGETS, seeds};

#[test]
fn the_corpus_holds() {
    for (name, target) in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
        let mut inputs = 0;
        for entry in fs::read_dir(folder).expect("every target has a corpus") {
            let path = entry.expect("it is listed").path();
            let input = fs::read(path).expect("it is readable");
            run(name, target, &input);
            inputs += 1;
        }
        assert!(inputs > 0, "{name} has inputs");
    }
}

#[test]
fn noise_holds() {
    let mut state = 1_u64;
    let mut next = || {
        // xorshift64: enough to vary the bytes.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for round in 0..300 {
        let mut input: Vec<u8> = (0..next() % 300).map(|_| next() as u8).collect();
        if round % 2 == 0 {
            // Small numbers are lengths and kinds of steps that go far.
            input.iter_mut().for_each(|byte| *byte &= 0x8f);
        }
        for (name, target) in TARGETS {
            run(name, target, &input);
        }
    }
}

/// Says which input it was that a target did not like.
fn run(name: &str, target: fn(&[u8]), input: &[u8]) {
    struct Shown<'i>(&'i str, &'i [u8]);
    impl Drop for Shown<'_> {
        fn drop(&mut self) {
            if std::thread::panicking() {
                println!("{}: {}", self.0, self.1.escape_ascii());
            }
        }
    }
    let _shown = Shown(name, input);
    target(input);
}

#[test]
fn the_corpus_has_what_the_tables_say() {
    for (target, name, input) in seeds::seeds() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target).join(&name);
        assert_eq!(fs::read(path).ok(), Some(input), "{target}/{name}: run the example `seeds`");
    }
}
