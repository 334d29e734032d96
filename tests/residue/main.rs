//! Connections come and go, in every way in which they end, and leave nothing behind: no bytes on
//! the heap, no file descriptor, no task.
//!
//! Some thousand in a plain run; a hundred thousand, in some minutes, with
//! `RESIDUE_CYCLES=100000 cargo test --release --all-features --test residue -- --nocapture`.
#![cfg(all(feature = "tokio", target_os = "linux"))]

#[expect(dead_code, reason = "only its frames are needed")]
#[path = "../common/mod.rs"]
mod common;
mod endings;
mod heap;
mod server;

use std::iter;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use socket2::{Domain, Socket, Type};
use sotong::{Config, Error, Result};
use tokio::runtime::{Handle, Runtime};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use endings::{Configs, Ending, Seen};
use heap::held;
use server::{serve, serve_async};

/// How many clients there are at a time.
const CLIENTS: usize = 64;

/// How many cycles a round has; the ports of 100,000 at once would not suffice.
const ROUND: usize = 500;

/// How many rounds it takes until a process has what it has only once.
const WARM_UP: usize = 2;

/// How much more memory than before the pools of a thread may hold at the end of a round: a buffer
/// for each direction of each connection that was there at the same time.
const POOLED: isize = 2 * (CLIENTS * 64 * 1024) as isize;

/// The buffers in a pool are not all of the same size; this is less than 20 bytes for each
/// connection.
const NOISE: isize = 8 * 1024;

/// Whoever tries these ends, and over which adapter.
struct Stage {
    /// The tokio adapter's; without one it is the blocking adapter.
    runtime: Option<Runtime>,
    configs: Configs,
    patient: TcpListener,
    hasty: TcpListener,
}

#[test]
fn connections_leave_nothing_behind_however_they_end() {
    let cycles: usize = std::env::var("RESIDUE_CYCLES").map_or(2_000, |n| n.parse().unwrap());
    let rounds = cycles.div_ceil(2 * ROUND);
    // With room for all, since they are on the heap themselves.
    let mut left = Vec::with_capacity(WARM_UP + rounds);
    let mut grown = [Vec::with_capacity(rounds), Vec::with_capacity(rounds)];
    for round in 0..WARM_UP + rounds {
        let is_warm = round >= WARM_UP;
        for is_async in [false, true] {
            let cycles = if is_warm { ROUND } else { Ending::ALL.len() };
            let growth = thread::spawn(move || Stage::new(is_async).play(cycles)).join().unwrap();
            grown[usize::from(is_async)].extend(is_warm.then_some(growth));
        }
        left.push(held());
    }
    println!("{} cycles, {:?}, grown within rounds: {grown:?}", 2 * rounds * ROUND, left.last());
    assert!(left.iter().skip(WARM_UP).all(|left_now| *left_now == left[WARM_UP - 1]), "{left:?}");
    for grown in grown {
        assert!(grown.iter().all(|growth| *growth <= POOLED), "{grown:?}");
        // What is left behind is left behind in every round; what a pool has taken is not.
        assert!(grown.iter().any(|growth| *growth <= NOISE), "{grown:?}");
    }
}

impl Stage {
    fn new(is_async: bool) -> Self {
        let runtime = is_async
            .then(|| tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap());
        Self { runtime, configs: Configs::new(), patient: listen(), hasty: listen() }
    }

    /// Plays so many cycles; by how many bytes the heap has grown, after some that come before.
    fn play(self, cycles: usize) -> isize {
        self.cycle(4 * Ending::ALL.len());
        let before = held();
        self.cycle(cycles);
        let after = held();
        assert_eq!(after.descriptors, before.descriptors);
        after.bytes - before.bytes
    }

    /// Lets connections come and go, and waits until both ends of all of them are gone.
    fn cycle(&self, cycles: usize) {
        let endings = |n: usize| Ending::ALL[n % Ending::ALL.len()];
        let of_hasty = |n: &usize| endings(*n).seen() == Seen::TimedOut;
        let hasty = (0..cycles).filter(of_hasty).count();
        let addresses = [&self.patient, &self.hasty].map(|it| it.local_addr().unwrap());
        let next = AtomicUsize::new(0);
        let (playing, played) = mpsc::channel::<()>(1);
        let handle = self.runtime.as_ref().map(Runtime::handle);
        let seen = thread::scope(|scope| {
            let play = |_| {
                let (next, playing, configs) = (&next, playing.clone(), &self.configs);
                scope.spawn(move || {
                    let _playing = playing;
                    for n in iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed)) {
                        if n >= cycles {
                            return;
                        }
                        let address = addresses[usize::from(of_hasty(&n))];
                        endings(n).act(address, handle, configs);
                    }
                })
            };
            let clients: Vec<_> = (0..CLIENTS).map(play).collect();
            drop(playing);
            let seen = match &self.runtime {
                None => self.serve_all(cycles - hasty, hasty),
                Some(runtime) => {
                    runtime.block_on(self.serve_all_async(cycles - hasty, hasty, played))
                }
            };
            clients.into_iter().for_each(|client| client.join().unwrap());
            seen
        });
        let count =
            |seen: &[Seen]| ALL_SEEN.map(|kind| seen.iter().filter(|s| **s == kind).count());
        let expected: Vec<_> = (0..cycles).map(|n| endings(n).seen()).collect();
        assert_eq!(count(&seen), count(&expected), "{ALL_SEEN:?}");
    }

    /// A thread per connection; how they all ended.
    fn serve_all(&self, patient: usize, hasty: usize) -> Vec<Seen> {
        let serve_some = |listener: &TcpListener, n, config: &Arc<Config>| {
            let serve_next = |_| {
                let (stream, _) = listener.accept().unwrap();
                let config = Arc::clone(config);
                thread::spawn(move || seen(serve(stream, &config)))
            };
            (0..n).map(serve_next).collect::<Vec<_>>()
        };
        let threads = thread::scope(|scope| {
            let hasty = scope.spawn(|| serve_some(&self.hasty, hasty, &self.configs.hasty));
            let mut threads = serve_some(&self.patient, patient, &self.configs.compressing);
            threads.extend(hasty.join().unwrap());
            threads
        });
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    }

    /// A task per connection; how they all ended. Our clients are on the same runtime: it goes on
    /// until they have `played`.
    async fn serve_all_async(
        &self,
        patient: usize,
        hasty: usize,
        mut played: mpsc::Receiver<()>,
    ) -> Vec<Seen> {
        let mut tasks = JoinSet::new();
        let [patient_listener, hasty_listener] = [&self.patient, &self.hasty].map(|listener| {
            let listener = listener.try_clone().unwrap();
            listener.set_nonblocking(true).unwrap();
            tokio::net::TcpListener::from_std(listener).unwrap()
        });
        let mut left = [patient, hasty];
        while left != [0, 0] {
            let (accepted, config) = tokio::select! {
                accepted = patient_listener.accept(), if left[0] > 0 => {
                    left[0] -= 1;
                    (accepted, &self.configs.compressing)
                }
                accepted = hasty_listener.accept(), if left[1] > 0 => {
                    left[1] -= 1;
                    (accepted, &self.configs.hasty)
                }
            };
            let (stream, _) = accepted.unwrap();
            stream.set_nodelay(true).unwrap();
            let config = Arc::clone(config);
            tasks.spawn(async move { seen(serve_async(stream, config).await) });
        }
        let seen = tasks.join_all().await;
        while played.recv().await.is_some() {}
        // The stream of a client of ours may have been the last to know.
        tokio::task::yield_now().await;
        assert_eq!(Handle::current().metrics().num_alive_tasks(), 0);
        seen
    }
}

const ALL_SEEN: [Seen; 4] = [Seen::Clean, Seen::Abrupt, Seen::PeerFault, Seen::TimedOut];

fn seen(ended: Result<()>) -> Seen {
    match ended {
        Ok(()) => Seen::Clean,
        Err(Error::TimedOut(_)) => Seen::TimedOut,
        Err(error) if error.is_peer_fault() => Seen::PeerFault,
        Err(error) if error.is_abrupt_close() => Seen::Abrupt,
        Err(error) => panic!("{error}"),
    }
}

/// Of a port of its own, since those of connections that have ended are not free for a minute.
fn listen() -> TcpListener {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_send_buffer_size(8_192).unwrap(); // soon full, for connections too
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(1_024).unwrap();
    socket.into()
}
