//! How a stream behaves: what may be, and what programs often do not expect.

use std::io::ErrorKind;

/// How an [`Adversarial`](super::Adversarial) stream behaves. Nothing here is more than a real
/// stream may do.
///
/// ```
/// use sotong::test_kit::{Fault, Manner, Operation, What};
///
/// let mut manner = Manner::byte_by_byte();
/// manner.fault = Some(Fault {
///     operation: Operation::Write,
///     nth: 3,
///     what: What::Fails(std::io::ErrorKind::ConnectionReset),
///     lasts: true,
/// });
///
/// // What a program should take all the same:
/// let manners = [
///     Manner::sound(),
///     Manner::byte_by_byte(),
///     Manner::hesitant(7),
///     Manner::random(7), // and with some more seeds
/// ];
/// assert_eq!(manners.map(|manner| manner.hesitates), [false, true, true, true]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Manner {
    /// The most bytes that a read gives; one at least.
    pub max_read: usize,
    /// The most bytes that a write takes; one at least.
    pub max_write: usize,
    /// Whether every operation is put off once before it is done: it is pending and wakes at once, or,
    /// of the blocking kind, is `Interrupted`, or `WouldBlock` on a stream that gives up now and then.
    pub hesitates: bool,
    /// Whether how much is moved, up to those bounds, and whether it hesitates is drawn at random:
    /// beginning with this, so that it is the same in every run.
    pub seed: Option<u64>,
    /// What goes wrong, once or for good.
    pub fault: Option<Fault>,
}

impl Manner {
    /// The most that a stream of [`random`](Self::random) moves at once: enough for some frames, and
    /// less than many.
    const DRAWN: usize = 64;

    /// Just as the stream below.
    ///
    /// For an example see [`Manner`](Self).
    pub const fn sound() -> Self {
        let most = usize::MAX;
        Self { max_read: most, max_write: most, hesitates: false, seed: None, fault: None }
    }

    /// One byte at a time, and nothing at once.
    ///
    /// For an example see [`Manner`](Self).
    pub const fn byte_by_byte() -> Self {
        Self { max_read: 1, max_write: 1, hesitates: true, ..Self::sound() }
    }

    /// Every operation is put off once, and writes take so many bytes.
    ///
    /// For an example see [`Manner`](Self).
    pub const fn hesitant(max_write: usize) -> Self {
        Self { max_write, hesitates: true, ..Self::sound() }
    }

    /// Up to 64 bytes at a time, and every other operation put off, as they are drawn.
    ///
    /// For an example see [`Manner`](Self).
    pub const fn random(seed: u64) -> Self {
        let most = Self::DRAWN;
        Self { max_read: most, max_write: most, hesitates: true, seed: Some(seed), fault: None }
    }
}

/// What is done to a stream.
///
/// For an example see [`Fault`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Reading.
    Read,
    /// Writing, of one slice or of several.
    Write,
    /// Flushing.
    Flush,
    /// Shutting the writing direction down.
    ShutDown,
}

/// What goes wrong with an operation.
///
/// For an example see [`Fault`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Only one byte is moved.
    Short,
    /// Not now, but soon.
    Pends,
    /// No byte is moved: the end of the stream for a read, a stream that takes nothing for a write.
    Zero,
    /// It fails in this way.
    Fails(ErrorKind),
}

/// What goes wrong with which operation.
///
/// ```
/// use sotong::test_kit::{Fault, Operation, What};
///
/// let fault = Fault { operation: Operation::Write, nth: 2, what: What::Short, lasts: false };
/// # let Fault { .. } = fault;
/// ```
///
/// For where it goes see [`Manner`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// With which.
    pub operation: Operation,
    /// With the how manieth of those; the first is number 0.
    pub nth: usize,
    /// What.
    pub what: What,
    /// Whether nothing can be read or written from then on.
    pub lasts: bool,
}

/// What has happened to a stream, and so what happens next.
#[derive(Debug)]
pub(super) struct Conduct {
    manner: Manner,
    /// How often each operation was tried.
    tried: [usize; 4],
    /// Whether each operation was put off, and has not been done since.
    hesitated: [bool; 4],
    /// What everything comes to.
    dead: Option<What>,
    drawn: u64,
}

impl Conduct {
    pub(super) fn new(manner: Manner) -> Self {
        // Of a generator of this kind no state may be 0.
        let drawn = manner.seed.unwrap_or(0) | 1 << 63;
        Self { manner, tried: [0; 4], hesitated: [false; 4], dead: None, drawn }
    }

    /// What goes wrong with this operation, and how many bytes it may move.
    pub(super) fn meet(&mut self, operation: Operation) -> (Option<What>, usize) {
        let nth = self.tried[operation as usize];
        self.tried[operation as usize] += 1;
        if self.dead.is_some() {
            return (self.dead, 1);
        }
        if let Some(fault) = self.manner.fault
            && (fault.operation, fault.nth) == (operation, nth)
        {
            self.dead = Some(fault.what).filter(|_| fault.lasts);
            return (Some(fault.what), 1);
        }
        if self.hesitates(operation) {
            return (Some(What::Pends), 1);
        }
        let most = match operation {
            Operation::Read => self.manner.max_read,
            _ => self.manner.max_write,
        };
        (None, self.up_to(most.max(1)))
    }

    fn hesitates(&mut self, operation: Operation) -> bool {
        if !self.manner.hesitates {
            return false;
        }
        let is_put_off = match self.manner.seed {
            None => !self.hesitated[operation as usize],
            Some(_) => self.draw().is_multiple_of(2),
        };
        self.hesitated[operation as usize] = is_put_off;
        is_put_off
    }

    fn up_to(&mut self, most: usize) -> usize {
        match self.manner.seed {
            None => most,
            Some(_) => 1 + (self.draw() % most as u64) as usize,
        }
    }

    /// Marsaglia's xorshift, whose upper bits are the better ones.
    fn draw(&mut self) -> u64 {
        self.drawn ^= self.drawn << 13;
        self.drawn ^= self.drawn >> 7;
        self.drawn ^= self.drawn << 17;
        self.drawn >> 11
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn meet(manner: Manner, operations: &[Operation]) -> Vec<(Option<What>, usize)> {
        let mut conduct = Conduct::new(manner);
        operations.iter().map(|operation| conduct.meet(*operation)).collect()
    }

    #[test]
    fn each_operation_is_put_off_once_and_then_done() {
        use Operation::{Flush, Read, Write};
        let manner = Manner { max_read: 0, ..Manner::hesitant(7) };
        let put_off = (Some(What::Pends), 1);
        assert_eq!(
            meet(manner, &[Read, Write, Read, Flush, Write, Read, Flush]),
            [put_off, put_off, (None, 1), put_off, (None, 7), put_off, (None, 7)]
        );
    }

    #[test]
    fn a_fault_hits_its_operation_once_or_for_good() {
        use Operation::{Flush, Read, ShutDown, Write};
        let operations = [Write, Read, Read, Flush, Write, Read, ShutDown];
        let sound = (None, usize::MAX);
        for lasts in [false, true] {
            let fault = Fault { operation: Read, nth: 1, what: What::Zero, lasts };
            let manner = Manner { fault: Some(fault), ..Manner::sound() };
            let hit = (Some(What::Zero), 1);
            let then = if lasts { hit } else { sound };
            assert_eq!(meet(manner, &operations), [sound, sound, hit, then, then, then, then]);
        }
    }

    #[test]
    fn what_is_drawn_is_within_its_bounds_varies_and_is_the_same_again() {
        let reads = [Operation::Read; 1000];
        let met = meet(Manner::random(7), &reads);
        assert_eq!(met, meet(Manner::random(7), &reads));
        assert_ne!(met, meet(Manner::random(8), &reads));
        let moved: Vec<usize> =
            met.iter().filter(|(what, _)| what.is_none()).map(|(_, most)| *most).collect();
        assert!((400..600).contains(&moved.len()), "{}", moved.len());
        assert!(moved.iter().all(|most| (1..=64).contains(most)));
        assert!((1..=64).all(|most| moved.contains(&most)));
    }
}
