//! Prints the checksum of each chunk of a file, and the file's hash as `b3sum` does.
//!
//! ```sh
//! cargo run -p hoist-protocol --example checksums -- FILE [CHUNK_SIZE]
//! ```

#![allow(clippy::print_stdout)] // it is what it is for

use std::{env, error::Error, fs::File, io::Read as _};

use hoist_protocol::{ChunkHasher, ChunkLayout, DEFAULT_CHUNK_SIZE, merge_checksums};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let path = arguments
        .next()
        .ok_or("usage: checksums FILE [CHUNK_SIZE]")?;
    let chunk_size = match arguments.next() {
        Some(size) => size.parse()?,
        None => DEFAULT_CHUNK_SIZE,
    };
    let mut file = File::open(&path)?;
    let layout = ChunkLayout::new(file.metadata()?.len(), chunk_size)?;
    let mut checksums = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    for index in 0..layout.count() {
        let mut hasher = ChunkHasher::new(layout, index)?;
        let length = hasher.left();
        while hasher.left() > 0 {
            let most = usize::try_from(hasher.left().min(64 << 10))?;
            let piece = buffer.get_mut(..most).ok_or("the buffer is too small")?;
            file.read_exact(piece)?;
            hasher.update(piece)?;
        }
        let checksum = hasher.finish()?;
        println!("{index} {length} {checksum}");
        checksums.push(checksum);
    }
    println!("{}  {path}", merge_checksums(layout, checksums)?);
    Ok(())
}
