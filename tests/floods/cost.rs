//! Runs one flood, to be counted from outside: `tests/floods.sh` says how. Without arguments it lists
//! them.

#![expect(dead_code, reason = "memory is looked at elsewhere")]

mod flood;

fn main() {
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let Some(name) = args.next() else {
        flood::FLOODS.iter().for_each(|flood| println!("{}\t{}", flood.units, flood.name));
        return;
    };
    let units = args.next().and_then(|units| units.parse().ok()).unwrap_or(0);
    let flood = flood::FLOODS.into_iter().find(|flood| flood.name == name);
    (flood.expect("a flood of this name").run)(units);
}
