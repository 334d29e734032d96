//! The committed corpus through every target, on any toolchain; and noise, so that a target is not
//! only right about its own corpus. It is always the same noise, unless `FUZZ_NOISE` is a number, and
//! `FUZZ_ROUNDS` says how much of it.

use std::fs;
use std::path::Path;

use sotong_fuzz::{TARGETS, Target, seeds};

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
fn the_corpus_holds_with_changes() {
    let mut random = Random::new();
    let seeds = seeds::seeds();
    for (target, _, input) in &seeds {
        let run_target = TARGETS.iter().find(|(name, _)| name == target).expect("it is a target").1;
        for _ in 0..rounds() {
            let mut input = input.clone();
            for _ in 0..1 + random.below(3) {
                let other = &seeds[random.below(seeds.len())].2;
                change(&mut input, &mut random, other);
            }
            run(target, run_target, &input);
        }
    }
}

/// One bit, one byte, a byte more or less, a part again, the end of another seed.
fn change(input: &mut Vec<u8>, random: &mut Random, other: &[u8]) {
    let at = random.below(input.len() + 1);
    let byte = random.below(256) as u8;
    match (random.below(6), input.get_mut(at)) {
        (0, Some(bits)) => *bits ^= 1 << (byte % 8),
        (1, Some(old)) => *old = byte,
        (2, Some(_)) => drop(input.remove(at)),
        (3, _) => {
            let part = at..input.len().min(at + usize::from(byte % 16));
            input.extend_from_within(part);
        }
        (4, _) => {
            input.truncate(at);
            input.extend(&other[random.below(other.len() + 1)..]);
        }
        _ => input.insert(at, byte),
    }
}

#[test]
fn noise_holds() {
    let mut random = Random::new();
    for round in 0..rounds() {
        let mut input: Vec<u8> = (0..random.below(300)).map(|_| random.below(256) as u8).collect();
        if round % 2 == 0 {
            // Small numbers are lengths and kinds of steps that go far.
            input.iter_mut().for_each(|byte| *byte &= 0x8f);
        }
        for (name, target) in TARGETS {
            run(name, target, &input);
        }
    }
}

/// How many changes of a seed, and how many inputs of noise alone.
fn rounds() -> u64 {
    number("FUZZ_ROUNDS").unwrap_or(300)
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|number| number.parse().expect("it is a number"))
}

/// xorshift64: enough to vary bytes.
struct Random(u64);

impl Random {
    fn new() -> Self {
        // From zero it would never get away.
        Self(number("FUZZ_NOISE").unwrap_or(1).max(1))
    }

    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) as usize % end
    }
}

/// Says which input it was that a target did not like.
fn run(name: &str, target: Target, input: &[u8]) {
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
