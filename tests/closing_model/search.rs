//! Breadth first through all states. A connection cannot be cloned, so a state is the way to it, which
//! is gone again from the start; states are the same if everything that can be seen of them is.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use crate::world::{Budget, Move, World};

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    pub states: usize,
    pub moves: usize,
    /// The most moves that it takes to get anywhere.
    pub depth: usize,
    /// States in which both are done with the stream.
    pub ends: usize,
}

struct State {
    /// From where and how it was reached first.
    from: Option<(usize, Move)>,
    depth: usize,
    is_over: bool,
    is_waiting: bool,
    /// Where moves lead that change something, and whether those happen by themselves.
    next: Vec<(usize, bool)>,
}

/// Goes everywhere.
pub fn explore(budget: Budget) -> Found {
    let hasher = RandomState::new();
    let seen = |world: &World| hasher.hash_one(world.fingerprint());
    let start = World::new(budget);
    let mut known = HashMap::from([(seen(&start), 0)]);
    let mut states = vec![State::new(None, 0, &start)];
    let (mut at, mut moves) = (0, 0);
    while at < states.len() {
        let way = way_to(at, &states);
        let mut world = replay(budget, &way);
        for step in world.moves() {
            let mut world = replay(budget, &way);
            let telling = Telling(&way, step);
            world.apply(step);
            drop(telling);
            moves += 1;
            let next = *known.entry(seen(&world)).or_insert_with(|| {
                states.push(State::new(Some((at, step)), way.len() + 1, &world));
                states.len() - 1
            });
            if next != at {
                states[at].next.push((next, step.is_progress()));
            }
        }
        at += 1;
    }
    check_exits(&states);
    let depth = states.iter().map(|state| state.depth).max().unwrap_or(0);
    let ends = states.iter().filter(|state| state.is_over).count();
    Found { states: states.len(), moves, depth, ends }
}

impl State {
    fn new(from: Option<(usize, Move)>, depth: usize, world: &World) -> Self {
        let (is_over, is_waiting) = (world.is_over(), world.is_waiting());
        Self { from, depth, is_over, is_waiting, next: vec![] }
    }
}

/// Tells where a check has failed.
struct Telling<'w>(&'w [Move], Move);

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{:?} after {:?}", self.1, self.0);
        }
    }
}

fn way_to(mut state: usize, states: &[State]) -> Vec<Move> {
    let mut way = vec![];
    while let Some((from, step)) = states[state].from {
        way.push(step);
        state = from;
    }
    way.reverse();
    way
}

fn replay(budget: Budget, way: &[Move]) -> World {
    let mut world = World::new(budget);
    way.iter().for_each(|step| world.apply(*step));
    world
}

/// From everywhere both come to an end; once one of them closes, by themselves, whatever happens
/// first.
fn check_exits(states: &[State]) {
    // From the ends back to where one can get to them.
    let mut before = vec![vec![]; states.len()];
    for (i, state) in states.iter().enumerate() {
        state.next.iter().for_each(|(next, _)| before[*next].push(i));
    }
    let mut can_end: Vec<bool> = states.iter().map(|state| state.is_over).collect();
    let mut open: Vec<usize> = (0..states.len()).filter(|i| can_end[*i]).collect();
    while let Some(at) = open.pop() {
        for i in &before[at] {
            if !std::mem::replace(&mut can_end[*i], true) {
                open.push(*i);
            }
        }
    }
    if let Some(trap) = can_end.iter().position(|can| !can) {
        panic!("no way out after {:?}", way_to(trap, states));
    }

    // Where nothing more happens by itself, and that this is always reached: no way goes in a circle.
    let progress = |i: usize| states[i].next.iter().filter(|(_, progress)| *progress);
    for (i, state) in states.iter().enumerate() {
        let is_stuck = state.is_waiting && progress(i).next().is_none();
        assert!(!is_stuck, "both wait for ever after {:?}", way_to(i, states));
    }
    let mut comers = vec![0; states.len()];
    (0..states.len()).flat_map(progress).for_each(|(next, _)| comers[*next] += 1);
    let mut open: Vec<usize> = (0..states.len()).filter(|i| comers[*i] == 0).collect();
    let mut passed = 0;
    while let Some(at) = open.pop() {
        passed += 1;
        for (next, _) in progress(at) {
            comers[*next] -= 1;
            if comers[*next] == 0 {
                open.push(*next);
            }
        }
    }
    assert_eq!(passed, states.len(), "what happens by itself goes in a circle");
}
