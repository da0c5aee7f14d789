//! A form of any size takes no more memory than a small one.

use std::io::Write as _;

use crate::program::{Program, read_answer};

const MIB: usize = 1 << 20;
/// 2 GiB, and not whole chunks.
const SIZE: usize = 2048 * MIB + 7;

#[test]
fn a_form_with_two_gibibytes_needs_no_more_memory_than_a_small_one() {
    let data = tempfile::tempdir().unwrap();
    let program = Program::start(data.path(), &[]);
    let idle = program.resident();
    let head =
        "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"film.mkv\"\r\n\r\n";
    let tail = "\r\n--B--\r\n";
    let mut stream = program.connect();
    let request = format!(
        "POST /hoist/form HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAccept: text/html\r\n\
         Content-Type: multipart/form-data; boundary=B\r\nContent-Length: {}\r\n\r\n{head}",
        program.addr,
        head.len() + SIZE + tail.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    // Different in every block, so that no block stands for another.
    let mut hasher = blake3::Hasher::new();
    let mut block = vec![0x5a; MIB];
    let (mut left, mut number, mut most) = (SIZE, 0_u64, idle);
    while left > 0 {
        block[..8].copy_from_slice(&number.to_le_bytes());
        let part = &block[..left.min(MIB)];
        hasher.update(part);
        stream.write_all(part).unwrap();
        left -= part.len();
        number += 1;
        if number.is_multiple_of(16) {
            most = most.max(program.resident());
        }
    }
    stream.write_all(tail.as_bytes()).unwrap();
    let answer = read_answer(stream);
    assert_eq!(answer.status, 303, "{}", answer.body);
    assert!(!answer.head.contains("hoist-error"), "{}", answer.head);
    assert!(
        most - idle <= 64 * MIB,
        "{} MiB over idle",
        (most - idle) / MIB
    );
    let list = program.ask("GET", "/hoist/uploads", "", b"").body;
    assert!(list.contains(hasher.finalize().to_hex().as_str()), "{list}");
    assert!(list.contains(&format!("\"size\":{SIZE}")), "{list}");
}
