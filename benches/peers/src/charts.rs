//! Charts of the results: horizontal bars, as SVG that is readable on any page.
//!
//! ```text
//!   title
//!   work            ┐
//!   candidate ████  │ a panel for each work, best first; ours stands out, limits are pale
//!   candidate ██    ┘
//! ```

use std::fmt::Write as _;
use std::path::Path;
use std::{fs, io};

use crate::results::{OURS, Results, Row, is_peer, number};

/// Draws what there are rows for.
pub fn draw(results: &Results, directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    for chart in &CHARTS {
        if let Some(svg) = chart.svg(results) {
            fs::write(directory.join(chart.file), svg)?;
        }
    }
    Ok(())
}

struct Chart {
    file: &'static str,
    title: &'static str,
    hint: &'static str,
    table: &'static str,
    works: &'static [&'static str],
}

const CHARTS: [Chart; 3] = [
    Chart {
        file: "pipelined.svg",
        title: "Echo over loopback, 64 connections with 64 messages in flight each",
        hint: "messages per second of a server on one core: longer is better",
        table: "Loopback: messages",
        works: &["64 × 64, 16 B", "64 × 64, 125 B", "64 × 64, 1 KiB"],
    },
    Chart {
        file: "idle.svg",
        title: "Memory of an idle connection",
        hint: "resident bytes of the server for each connection: shorter is better",
        table: "Idle connections: resident memory of the server for each",
        works: &["after the handshake", "after an echo of 64 KiB"],
    },
    Chart {
        file: "receive.svg",
        title: "Receiving in memory, many frames per read",
        hint: "nanoseconds for each message: shorter is better",
        table: "Receive, many frames per read",
        works: &["binary, 16 B", "binary, 125 B", "Korean text, 125 B"],
    },
];

impl Chart {
    fn svg(&self, results: &Results) -> Option<String> {
        let panels: Vec<_> = self.works.iter().map(|work| self.panel(results, work)).collect();
        let bars: usize = panels.iter().map(Vec::len).sum();
        if bars == 0 {
            return None;
        }
        let panel_count = panels.iter().filter(|panel| !panel.is_empty()).count();
        let height = TOP + panel_count * PANEL_HEAD + bars * ROW + MARGIN;
        let mut svg = head(height);
        text(&mut svg, MARGIN, 36, "title", self.title);
        text(&mut svg, MARGIN, 57, "hint", self.hint);
        let mut y = TOP;
        for (work, panel) in self.works.iter().zip(&panels).filter(|(_, panel)| !panel.is_empty()) {
            text(&mut svg, MARGIN, y + 20, "work", work);
            y += PANEL_HEAD;
            let longest = panel.iter().map(|(_, value)| *value).fold(0.0, f64::max);
            for (row, value) in panel {
                bar(&mut svg, y, row, *value, longest);
                y += ROW;
            }
        }
        svg += "</svg>\n";
        Some(svg)
    }

    /// The rows of this work that have a value, the best first.
    fn panel<'r>(&self, results: &'r Results, work: &str) -> Vec<(&'r Row, f64)> {
        let rows = results.rows.iter().filter(|row| row.table == self.table && row.work == work);
        let mut panel: Vec<_> = rows.filter_map(|row| Some((row, row.value?))).collect();
        panel.sort_by(|(_, a), (_, b)| a.total_cmp(b));
        if panel.first().is_some_and(|(row, _)| row.unit.ends_with("/s")) {
            panel.reverse();
        }
        panel
    }
}

fn head(height: usize) -> String {
    let (width, inner) = (WIDTH, WIDTH - 1);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\">\n{STYLE}\
         <rect x=\"0.5\" y=\"0.5\" width=\"{inner}\" height=\"{}\" rx=\"10\" class=\"page\"/>\n",
        height - 1
    )
}

fn bar(svg: &mut String, y: usize, row: &Row, value: f64, longest: f64) {
    let class = match row.candidate.as_str() {
        name if name.starts_with(OURS) => "ours",
        name if is_peer(name) => "peer",
        _ => "limit",
    };
    let label = if class == "ours" { "name own" } else { "name" };
    text(svg, NAMES, y + 14, label, &row.candidate);
    let room = (WIDTH - MARGIN - NAMES - GAP - VALUES) as f64;
    let length = (value / longest * room).max(1.5);
    let start = NAMES + GAP;
    _ = writeln!(
        svg,
        "<rect x=\"{start}\" y=\"{}\" width=\"{length:.1}\" height=\"{}\" rx=\"2.5\" \
         class=\"{class}\"/>",
        y + 1,
        ROW - 7
    );
    let class = if class == "ours" { "value own" } else { "value" };
    text(svg, start + length as usize + GAP, y + 14, class, &number(value));
}

fn text(svg: &mut String, x: usize, y: usize, class: &str, content: &str) {
    let content = content.replace('&', "&amp;").replace('<', "&lt;");
    _ = writeln!(svg, "<text x=\"{x}\" y=\"{y}\" class=\"{class}\">{content}</text>");
}

const WIDTH: usize = 760;
const MARGIN: usize = 24;
/// Below title and hint.
const TOP: usize = 72;
const PANEL_HEAD: usize = 32;
const ROW: usize = 24;
/// Where the candidates' names end.
const NAMES: usize = 180;
const GAP: usize = 8;
/// The room for the value behind the longest bar.
const VALUES: usize = 84;

const STYLE: &str = "<style>\n\
    text { font-family: system-ui, sans-serif; font-size: 13px; fill: #1f2933 }\n\
    .page { fill: #fdfdfb; stroke: #d5d9de }\n\
    .title { font-size: 17px; font-weight: 600 }\n\
    .hint { fill: #5f6b7a }\n\
    .work { font-weight: 600 }\n\
    .name { text-anchor: end }\n\
    .value { fill: #5f6b7a; font-variant-numeric: tabular-nums }\n\
    .own { fill: #b4410e; font-weight: 600 }\n\
    .ours { fill: #e4572e }\n\
    .peer { fill: #8fa3b8 }\n\
    .limit { fill: #e3e7ec; stroke: #b9c2cc }\n\
    </style>\n";
