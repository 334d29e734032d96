//! Writes the seed corpus into `corpus/`.

use std::fs;
use std::path::Path;

fn main() -> std::io::Result<()> {
    for (target, name, input) in sotong_fuzz::seeds::seeds() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(name), input)?;
    }
    Ok(())
}
