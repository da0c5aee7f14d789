//! The load client of `make bench`; prints one line of JSON.
#![expect(clippy::print_stdout, reason = "its result")]
#![expect(clippy::disallowed_methods, reason = "it measures time, natively")]

use std::{io, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use hoist_bench::{
    hoist::{self, Plan},
    http::Connection,
    plain, slow,
    source::Source,
};
use serde_json::json;

#[derive(Debug, Parser)]
struct Load {
    #[command(subcommand)]
    how: How,
    #[command(flatten)]
    what: What,
}

#[derive(Args, Debug)]
struct What {
    /// host:port of the server
    #[arg(long, global = true, default_value = "127.0.0.1:3000")]
    addr: String,
    /// a folder with the files that are sent
    #[arg(long, global = true, default_value = ".")]
    source: PathBuf,
    #[arg(long, global = true, default_value_t = 1)]
    files: usize,
    /// bytes of each file
    #[arg(long, global = true, default_value_t = 0)]
    size: usize,
    #[arg(long, global = true, default_value_t = 4)]
    connections: usize,
    /// what stands before the names of files, or the address of the tus endpoint
    #[arg(long, global = true, default_value = "/")]
    prefix: String,
}

#[derive(Debug, Subcommand)]
enum How {
    /// creates, and packs of chunks with checksums
    Hoist {
        #[arg(long, default_value_t = 16 << 20)]
        chunk_size: u64,
        #[arg(long, default_value_t = 33_000_000)]
        pack_size: usize,
        #[arg(long, default_value_t = 200)]
        pack_chunks: usize,
        #[arg(long)]
        no_checksums: bool,
    },
    /// creates alone: the files of the other commands first, then new ones as often as asked
    Creates {
        #[arg(long, default_value_t = 1)]
        times: usize,
        #[arg(long, default_value_t = 16 << 20)]
        chunk_size: u64,
    },
    /// one GET
    Get { path: String },
    /// HTTP PUT
    Put,
    /// tus 1.0
    Tus {
        /// bytes of a PATCH; one for the whole file if absent
        #[arg(long)]
        chunk_size: Option<usize>,
    },
    /// all files at once, each slowly
    Slow {
        speech: Speech,
        /// bytes a second of each
        #[arg(long, default_value_t = 64 << 10)]
        rate: usize,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Speech {
    Hoist,
    Put,
    Tus,
}

fn main() -> io::Result<()> {
    let Load { how, what } = Load::parse();
    let source = || Source::read(&what.source, what.files, what.size);
    let (addr, prefix, connections) = (&what.addr, &what.prefix, what.connections);
    let took = match how {
        How::Hoist {
            chunk_size,
            pack_size,
            pack_chunks,
            no_checksums,
        } => {
            let plan = Plan {
                addr: addr.clone(),
                connections,
                chunk_size,
                pack_size,
                pack_chunks,
                checksums: !no_checksums,
            };
            let took = hoist::send(&plan, &source()?)?;
            json!({ "seconds": took.creates + took.packs, "creates": took.creates, "requests": took.requests })
        }
        How::Creates { times, chunk_size } => {
            let mut connection = Connection::open(addr)?;
            let (mut seconds, mut present) = (Vec::new(), 0);
            for time in 1..=times {
                let begun = std::time::Instant::now();
                for body in hoist::creates(what.files, what.size, chunk_size, time) {
                    let target = ("POST", "/hoist/uploads");
                    let answer = connection.request(target, "", &[body.as_bytes()], &[200])?;
                    let answer = String::from_utf8_lossy(&answer.body).into_owned();
                    present += answer.matches(r#""answer":"present""#).count();
                }
                seconds.push(begun.elapsed().as_secs_f64());
            }
            json!({ "seconds": seconds, "present": present })
        }
        How::Get { path } => {
            let mut connection = Connection::open(addr)?;
            let begun = std::time::Instant::now();
            let answer = connection.request(("GET", &path), "", &[], &[200])?;
            json!({ "seconds": begun.elapsed().as_secs_f64(), "bytes": answer.body.len() })
        }
        How::Put => json!({ "seconds": plain::put(addr, prefix, connections, &source()?)? }),
        How::Tus { chunk_size } => {
            json!({ "seconds": plain::tus(addr, prefix, connections, chunk_size, &source()?)? })
        }
        How::Slow { speech, rate } => {
            let speech = match speech {
                Speech::Hoist => slow::Speech::Hoist,
                Speech::Put => slow::Speech::Put,
                Speech::Tus => slow::Speech::Tus,
            };
            let (done, seconds) = slow::send(speech, addr, prefix, rate, &source()?)?;
            json!({ "seconds": seconds, "done": done })
        }
    };
    println!("{took}");
    Ok(())
}
