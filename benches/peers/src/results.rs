//! What was measured, and what it is held against: rows, targets, and the two files that say so.
//!
//! ```text
//! rows ─┬─► results.json ─► charts
//!       └─► results.md: machine, versions, a table for each subject, targets met or not
//! ```

use std::fmt::Write as _;
use std::path::Path;
use std::{fs, io};

use serde::{Deserialize, Serialize};

use crate::machine::{Machine, Version};

/// All that one run of the program measured.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Results {
    pub machine: Machine,
    pub versions: Vec<Version>,
    pub rows: Vec<Row>,
    pub targets: Vec<Target>,
}

impl Results {
    /// Empty results of this machine.
    pub fn here() -> Self {
        Self { machine: Machine::here(), versions: Version::all(), ..Self::default() }
    }

    pub fn add(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Holds a row that was or will be added against another one.
    pub fn require(&mut self, target: Target) {
        self.targets.push(target);
    }

    pub fn read(path: &Path) -> io::Result<Self> {
        Ok(serde_json::from_slice(&fs::read(path)?)?)
    }

    /// Writes `results.json` and `results.md` into a directory.
    pub fn write(&self, directory: &Path) -> io::Result<()> {
        fs::create_dir_all(directory)?;
        fs::write(directory.join("results.json"), serde_json::to_vec_pretty(self)?)?;
        fs::write(directory.join("results.md"), self.markdown())
    }

    pub fn markdown(&self) -> String {
        let mut page = String::from("# Comparison\n\n");
        page += &self.machine.markdown();
        page.push('\n');
        page += LEGEND;
        for table in distinct(self.rows.iter().map(|row| &row.table)) {
            page += &self.table(table);
        }
        page += &self.targets_markdown();
        page += &Version::markdown(&self.versions);
        page
    }

    /// The targets, met or not, as a table.
    pub fn targets_markdown(&self) -> String {
        if self.targets.is_empty() {
            return String::new();
        }
        let verdicts: Vec<_> = self.targets.iter().map(|target| self.verdict(target)).collect();
        let met = verdicts.iter().filter(|verdict| verdict.is_met() == Some(true)).count();
        let mut page = format!("\n## Targets: {met} of {} met\n\n", verdicts.len());
        page += "| table | work | at most | measured | met |\n|---|---|---|---|---|\n";
        for (target, verdict) in self.targets.iter().zip(&verdicts) {
            let met = match verdict.is_met() {
                Some(true) => "yes",
                Some(false) => "**no**",
                None => "not measured",
            };
            let (measured, limit) = (verdict.measured_text(), target.limit_text(verdict));
            let Target { table, work, .. } = target;
            _ = writeln!(page, "| {table} | {work} | {limit} | {measured} | {met} |");
        }
        page
    }

    /// Work down, candidates across.
    fn table(&self, table: &str) -> String {
        let rows: Vec<_> = self.rows.iter().filter(|row| row.table == table).collect();
        let candidates = distinct(rows.iter().map(|row| &row.candidate));
        let unit = rows.first().map_or("", |row| &row.unit);
        let mut page = format!("\n## {table}, {unit}\n\n| work |");
        for candidate in &candidates {
            _ = write!(page, " {candidate} |");
        }
        page += "\n|---|";
        page += &"---:|".repeat(candidates.len());
        page.push('\n');
        for work in distinct(rows.iter().map(|row| &row.work)) {
            _ = write!(page, "| {work} |");
            for candidate in &candidates {
                let row = self.find(table, work, candidate);
                _ = write!(page, " {} |", row.map_or("–".into(), |row| self.cell(row)));
            }
            page.push('\n');
        }
        page.push('\n');
        for (candidate, note) in notes(&rows) {
            _ = writeln!(page, "* {candidate}: {note}");
        }
        page
    }

    fn cell(&self, row: &Row) -> String {
        let Some(cost) = row.cost() else { return "–".into() };
        let value = number(row.value.unwrap_or_default());
        let best = self.best_peer(&row.table, &row.work).and_then(Row::cost);
        match best {
            Some(best) if best > 0.0 => format!("{value} ({:.2})", cost / best),
            _ => value,
        }
    }

    /// The row of the peer that does this work at the least cost.
    fn best_peer(&self, table: &str, work: &str) -> Option<&Row> {
        let same_work = self.rows.iter().filter(|row| row.table == table && row.work == work);
        let peers = same_work.filter(|row| is_peer(&row.candidate) && row.cost().is_some());
        peers.min_by(|a, b| a.cost().partial_cmp(&b.cost()).expect("costs are numbers"))
    }

    fn find(&self, table: &str, work: &str, candidate: &str) -> Option<&Row> {
        let wanted = (table, work, candidate);
        let mut rows = self.rows.iter();
        rows.find(|row| (row.table.as_str(), row.work.as_str(), row.candidate.as_str()) == wanted)
    }

    fn verdict(&self, target: &Target) -> Verdict<'_> {
        let Target { table, work, candidate, at_most, of } = target;
        let against = match of {
            Of::BestPeer => self.best_peer(table, work),
            Of::Candidate(other) => self.find(table, work, other),
            Of::Work(other) => self.find(table, other, candidate),
            Of::Fixed => None,
        };
        let reference = match of {
            Of::Fixed => Some(1.0),
            _ => against.and_then(Row::cost),
        };
        let measured = self.find(table, work, candidate);
        let limit = reference.map(|reference| reference * at_most);
        Verdict { measured, against, limit, reference }
    }
}

/// One number: what one candidate needs for one kind of work.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// The heading it is printed under.
    pub table: String,
    pub work: String,
    pub candidate: String,
    /// `None` if the candidate cannot do the work; the note says why.
    pub value: Option<f64>,
    /// One that ends in `/s` is better when higher, all others when lower.
    pub unit: String,
    /// The quartiles of the rounds.
    pub spread: Option<(f64, f64)>,
    pub note: String,
}

impl Row {
    pub fn new(table: &str, work: &str, candidate: &str, value: f64, unit: &str) -> Self {
        Self { value: Some(value), ..Self::failed(table, work, candidate, unit, "") }
    }

    /// Work that the candidate cannot do.
    pub fn failed(table: &str, work: &str, candidate: &str, unit: &str, why: &str) -> Self {
        Self {
            table: table.into(),
            work: work.into(),
            candidate: candidate.into(),
            value: None,
            unit: unit.into(),
            spread: None,
            note: why.into(),
        }
    }

    pub fn spread(self, low: f64, high: f64) -> Self {
        Self { spread: Some((low, high)), ..self }
    }

    pub fn note(self, note: &str) -> Self {
        Self { note: note.into(), ..self }
    }

    /// The value so turned that less is better.
    fn cost(&self) -> Option<f64> {
        self.value.map(|value| if self.unit.ends_with("/s") { 1.0 / value } else { value })
    }
}

/// What a row is to stay below, as a multiple of another one's cost.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Target {
    pub table: String,
    pub work: String,
    pub candidate: String,
    pub at_most: f64,
    pub of: Of,
}

impl Target {
    /// A target of ours.
    pub fn new(table: &str, work: &str, at_most: f64, of: Of) -> Self {
        let (table, work, candidate) = (table.into(), work.into(), OURS.into());
        Self { table, work, candidate, at_most, of }
    }

    fn limit_text(&self, verdict: &Verdict<'_>) -> String {
        let at_most = (self.at_most * 1000.0).round() / 1000.0;
        let of = match (&self.of, verdict.against) {
            (Of::Fixed, _) => return format!("{at_most}"),
            (Of::BestPeer, Some(best)) => format!("the best peer, {}", best.candidate),
            (Of::BestPeer, None) => "the best peer".into(),
            (Of::Candidate(other) | Of::Work(other), _) => other.clone(),
        };
        format!("{at_most} × {of}")
    }
}

/// What a target's factor multiplies.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Of {
    /// The peer with the least cost for the same work.
    BestPeer,
    /// Another candidate at the same work.
    Candidate(String),
    /// The same candidate at other work of the same table.
    Work(String),
    /// Nothing: the factor is the limit.
    Fixed,
}

/// How the rows of one target compare.
struct Verdict<'r> {
    measured: Option<&'r Row>,
    against: Option<&'r Row>,
    reference: Option<f64>,
    limit: Option<f64>,
}

impl Verdict<'_> {
    fn is_met(&self) -> Option<bool> {
        Some(self.measured?.cost()? <= self.limit?)
    }

    fn measured_text(&self) -> String {
        let Some((row, cost)) = self.measured.and_then(|row| Some((row, row.cost()?))) else {
            return "–".into();
        };
        let value = format!("{} {}", number(row.value.unwrap_or_default()), row.unit);
        match (self.against, self.reference) {
            (Some(_), Some(reference)) if reference > 0.0 => {
                format!("{:.2} ({value})", cost / reference)
            }
            _ => value,
        }
    }
}

/// Whether a candidate is one of the crates that are compared, rather than ours or a limit. A name
/// may say more behind the crate's.
pub fn is_peer(candidate: &str) -> bool {
    PEERS.iter().any(|peer| candidate.starts_with(peer))
}

/// A number with about three digits that matter, and its thousands apart.
pub fn number(value: f64) -> String {
    if value == 0.0 || (value.fract() == 0.0 && value < 1000.0) {
        return format!("{value}");
    }
    match value {
        ..0.1 => format!("{value:.3}"),
        ..1.0 => format!("{value:.2}"),
        ..100.0 => format!("{value:.1}"),
        _ => thousands(value.round() as u64),
    }
}

fn thousands(value: u64) -> String {
    let digits = value.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// The notes of these rows, each once for a candidate.
fn notes<'r>(rows: &[&'r Row]) -> Vec<(&'r str, &'r str)> {
    let mut notes: Vec<(&str, &str)> = Vec::new();
    for row in rows.iter().filter(|row| !row.note.is_empty()) {
        if !notes.contains(&(&row.candidate, &row.note)) {
            notes.push((&row.candidate, &row.note));
        }
    }
    notes
}

/// In the order of their first appearance.
fn distinct<'n>(names: impl Iterator<Item = &'n String>) -> Vec<&'n str> {
    let mut seen: Vec<&str> = Vec::new();
    for name in names {
        if !seen.contains(&name.as_str()) {
            seen.push(name);
        }
    }
    seen
}

const LEGEND: &str = "The number in parentheses is the ratio of the cost to that of the best peer: \
    below 1 is better. A dash is work that a candidate cannot do, and then the notes say why, or \
    has no part in. Each number is the median of the rounds; their quartiles are in \
    `results.json`.\n";

/// How our rows are called.
pub const OURS: &str = "sotong";

/// The crates that are compared; the names of their candidates begin so.
const PEERS: [&str; 9] = [
    "tungstenite",
    "tokio-tungstenite",
    "fastwebsockets",
    "tokio-websockets",
    "sockudo",
    "wtx",
    "yawc",
    "soketto",
    "web-socket",
];
