//! Where and with what was measured: the processor, the compiler, the versions of all crates.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use serde::{Deserialize, Serialize};

/// What the numbers depend on besides the crates.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Machine {
    pub processor: String,
    pub cores: usize,
    pub kernel: String,
    pub compiler: String,
}

impl Machine {
    pub fn here() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let processors = read("/proc/cpuinfo");
        let model = processors.lines().find(|line| line.starts_with("model name"));
        let model = model.and_then(|line| line.split_once(": "));
        let compiler = Command::new("rustc").arg("--version").output();
        let compiler = compiler.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        Self {
            processor: model.map_or("unknown", |(_, name)| name).to_owned(),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            compiler: compiler.unwrap_or_default().trim().to_owned(),
        }
    }

    pub fn markdown(&self) -> String {
        let Self { processor, cores, kernel, compiler } = self;
        format!("{processor}, {cores} cores; Linux {kernel}; {compiler}, fat LTO.\n")
    }
}

/// A compared crate as the lock file has it, with the features that are on.
#[derive(Debug, Serialize, Deserialize)]
pub struct Version {
    pub name: String,
    pub version: String,
    pub features: String,
}

impl Version {
    /// Of every crate that takes part.
    pub fn all() -> Vec<Self> {
        CRATES.iter().map(|name| Self::of(name)).collect()
    }

    pub fn markdown(versions: &[Self]) -> String {
        let mut page =
            String::from("\n## Versions\n\n| crate | version | dependency |\n|---|---|---|\n");
        for Self { name, version, features } in versions {
            _ = writeln!(page, "| {name} | {version} | `{features}` |");
        }
        page
    }

    fn of(name: &str) -> Self {
        let package = format!("name = \"{name}\"\nversion = \"");
        let version = LOCK.split_once(&package).and_then(|(_, rest)| rest.split_once('"'));
        let line = format!("{name} = ");
        let features = MANIFEST.lines().find_map(|text| text.strip_prefix(&line));
        Self {
            name: name.to_owned(),
            version: version.map_or("?", |(version, _)| version).to_owned(),
            features: features.unwrap_or("?").to_owned(),
        }
    }
}

const LOCK: &str = include_str!("../Cargo.lock");
const MANIFEST: &str = include_str!("../Cargo.toml");
const CRATES: [&str; 10] = [
    "sotong",
    "tungstenite",
    "tokio-tungstenite",
    "fastwebsockets",
    "tokio-websockets",
    "sockudo-ws",
    "wtx",
    "yawc",
    "soketto",
    "web-socket",
];
