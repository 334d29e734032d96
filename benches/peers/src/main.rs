//! Compares sotong with other WebSocket crates: in memory, over loopback, as tables and charts.
//!
//! ```sh
//! cargo run --release -- [memory|loopback|all] [--out DIR] [--quick]
//! cargo run --release -- chart RESULTS.json DIR   # the tables once more, and the charts
//! ```

mod asked;
mod charts;
mod loopback;
mod machine;
mod memory;
mod results;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, io};

use results::Results;

fn main() -> ExitCode {
    let args: Vec<_> = env::args().skip(1).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> io::Result<()> {
    let (command, options) = match args.split_first() {
        Some((first, rest)) if !first.starts_with('-') => (first.as_str(), rest),
        _ => ("all", args),
    };
    match (command, options) {
        (memory::PART, _) => memory::print_part(),
        ("serve", options) => {
            loopback::serve(options);
            Ok(())
        }
        ("chart", [results, directory]) => {
            let (results, directory) = (Results::read(Path::new(results))?, Path::new(directory));
            results.write(directory)?;
            charts::draw(&results, directory)
        }
        ("memory" | "loopback" | "all", options) => measure(command, options),
        _ => Err(io::Error::other(USAGE)),
    }
}

fn measure(command: &str, options: &[String]) -> io::Result<()> {
    let mut directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("results");
    let mut quick = false;
    let mut options = options.iter();
    while let Some(option) = options.next() {
        match (option.as_str(), &mut options) {
            ("--quick", _) => quick = true,
            ("--out", rest) => directory = rest.next().ok_or(io::Error::other(USAGE))?.into(),
            _ => return Err(io::Error::other(USAGE)),
        }
    }
    let mut results = Results::here();
    if command != "loopback" {
        memory::run(&mut results, quick)?;
    }
    if command != "memory" {
        loopback::run(&mut results, quick);
    }
    results.write(&directory)?;
    println!("{}", results.targets_markdown());
    Ok(())
}

const USAGE: &str = "peers [memory|loopback|all] [--out DIR] [--quick]\n\
                     peers chart RESULTS.json DIR";
