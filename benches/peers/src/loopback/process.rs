//! The server's process: started, kept to its core, and asked what it took of time and memory.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;
use std::{env, fs};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Resource, Rlimit, Signal};
use rustix::thread::CpuSet;

use super::load::PATIENCE;
use super::servers::{Candidate, Mode};

/// The server has a core to itself, and so has the generator.
pub const SERVER_CORE: usize = 0;
pub const GENERATOR_CORE: usize = 1;

/// A server that runs; it ends with its owner.
pub struct Server {
    child: Child,
    pub address: SocketAddrV4,
    /// In hexadecimal; empty without TLS.
    pub certificate: String,
}

impl Server {
    pub fn start(candidate: Candidate, mode: Mode, tls: bool) -> Result<Self, String> {
        let program = env::current_exe().map_err(|error| error.to_string())?;
        let mut command = Command::new(program);
        command.args(["serve", candidate.name(), mode.name()]).args(tls.then_some("--tls"));
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("does not start: {error}"))?;
        let output = child.stdout.take().expect("the output is piped");
        let mut server = Self { child, address: NOWHERE, certificate: String::new() };
        let line = first_line(output).ok_or("the server says nothing")?;
        let mut words = line.split_whitespace();
        let port = words.next().and_then(|port| port.parse().ok());
        server.address.set_port(port.ok_or("the server names no port")?);
        server.certificate = words.next().unwrap_or_default().to_owned();
        Ok(server)
    }

    /// The time its threads have spent on a core, in nanoseconds, once it rests: a thread that runs
    /// is accounted for late.
    pub fn cpu(&self) -> u64 {
        let mut before = self.cpu_now();
        for _ in 0..100 {
            sleep(Duration::from_micros(300));
            let now = self.cpu_now();
            if now == before {
                break;
            }
            before = now;
        }
        before
    }

    /// The bytes of its memory that are resident.
    pub fn resident(&self) -> u64 {
        let path = format!("/proc/{}/smaps_rollup", self.child.id());
        let rollup = fs::read_to_string(path).unwrap_or_default();
        let kilobytes = rollup.lines().find_map(|line| line.strip_prefix("Rss:"));
        let kilobytes = kilobytes.and_then(|text| text.split_whitespace().next()?.parse().ok());
        kilobytes.unwrap_or(0u64) * 1024
    }

    fn cpu_now(&self) -> u64 {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id()));
        let tasks = tasks.into_iter().flatten().flatten();
        let spent = tasks.map(|task| {
            let stat = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            stat.split(' ').next().and_then(|spent| spent.parse().ok()).unwrap_or(0)
        });
        spent.sum()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn first_line(output: ChildStdout) -> Option<String> {
    let patience = Timespec::try_from(PATIENCE).expect("a few seconds");
    let readable = poll(&mut [PollFd::new(&output, PollFlags::IN)], Some(&patience)).ok()?;
    let mut line = String::new();
    if readable > 0 {
        BufReader::new(output).read_line(&mut line).ok()?;
    }
    (!line.is_empty()).then_some(line)
}

const NOWHERE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);

/// Keeps this thread, and those it starts, to one core; where there is none such, it runs anywhere.
pub fn pin(core: usize) {
    let mut cores = CpuSet::new();
    cores.set(core);
    _ = rustix::thread::sched_setaffinity(None, &cores);
}

/// Undoes [`pin`] for this thread when it is dropped.
pub struct Pinned(Option<CpuSet>);

impl Pinned {
    pub fn to(core: usize) -> Self {
        let before = rustix::thread::sched_getaffinity(None).ok();
        pin(core);
        Self(before)
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            _ = rustix::thread::sched_setaffinity(None, before);
        }
    }
}

pub fn die_with_parent() {
    _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
}

/// Allows for as many descriptors as the system does; how many those are.
pub fn raise_descriptor_limit() -> usize {
    let Rlimit { maximum, .. } = rustix::process::getrlimit(Resource::Nofile);
    _ = rustix::process::setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let Rlimit { current, .. } = rustix::process::getrlimit(Resource::Nofile);
    current.map_or(usize::MAX, |limit| limit as usize)
}
