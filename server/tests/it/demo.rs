//! The shell script with curl, and an independent look at what lies on disk.

use std::{fs, process::Command};

use crate::program::{Program, root};

#[test]
fn curl_alone_creates_sends_out_of_order_asks_and_downloads() {
    let data = tempfile::tempdir().unwrap();
    let program = Program::start(data.path(), &[]);
    let work = tempfile::tempdir().unwrap();
    // One chunk, whole chunks only, and a rest; the script wishes for chunks of 256 KiB.
    for (name, size) in [
        ("one.bin", 1000_usize),
        ("whole.bin", 4 << 18),
        ("rest.bin", 1_234_567),
    ] {
        let content: Vec<u8> = (0..size)
            .map(|n| ((n * 31 + n / 256 + size) % 251).try_into().unwrap())
            .collect();
        let file = work.path().join(name);
        fs::write(&file, &content).unwrap();
        let output = Command::new("bash")
            .arg(root().join("scripts/demo-curl.sh"))
            .arg(format!("{}/hoist", program.url()))
            .arg(&file)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let failed = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}\n{said}\n{failed}");
        let hash = blake3::hash(&content).to_hex();
        assert!(said.ends_with(&format!("ok {hash} {name}\n")), "{said}");
        // Not what the server says, but what is there.
        let stored = fs::read(data.path().join("files").join(name)).unwrap();
        assert_eq!(blake3::hash(&stored).to_hex(), hash, "{name}");
    }
}
