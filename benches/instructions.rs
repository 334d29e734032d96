//! Runs one work a number of times, to be counted from outside: `instructions.sh` says how.
//!
//! Without arguments it lists the works.

mod work;

fn main() {
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let works = work::works();
    let Some(name) = args.next() else {
        works.iter().for_each(|work| println!("{}\t{}", work.units, work.name));
        return;
    };
    let runs: usize = args.next().and_then(|runs| runs.parse().ok()).unwrap_or(1);
    let mut work = works.into_iter().find(|work| work.name == name).expect("a work of this name");
    for _ in 0..runs {
        (work.run)();
    }
}
