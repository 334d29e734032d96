//! Has the library take the model checker's locks; for this package alone, not for what it depends on.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(loom)");
    println!("cargo::rustc-cfg=loom");
}
