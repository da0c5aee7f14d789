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

#[test]
fn curl_sends_a_form_as_a_browser_without_javascript_does() {
    let data = tempfile::tempdir().unwrap();
    let program = Program::start(data.path(), &[]);
    let work = tempfile::tempdir().unwrap();
    let content: Vec<u8> = (0..3_000_001_u32).map(|n| (n % 251) as u8).collect();
    fs::write(work.path().join("照片 1.bin"), &content).unwrap();
    fs::write(work.path().join("empty.txt"), b"").unwrap();
    let output = Command::new("curl")
        .current_dir(work.path())
        .args(["--silent", "--show-error", "--write-out", "%{http_code}"])
        .args([
            "-F",
            "file=@照片 1.bin",
            "-F",
            "file=@empty.txt",
            "-F",
            "note=no file",
        ])
        // As a browser sends a field in which nothing was chosen.
        .args(["-F", "file=;filename=;type=application/octet-stream"])
        .arg(format!("{}/hoist/form", program.url()))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.ends_with("303"),
        "{output:?}"
    );
    let files = data.path().join("files");
    assert!(fs::read(files.join("照片 1.bin")).unwrap() == content);
    assert_eq!(fs::read(files.join("empty.txt")).unwrap(), b"");
    assert_eq!(fs::read_dir(&files).unwrap().count(), 2);
    // A real server stands behind: what it says is there can be had again.
    let list = program.ask("GET", "/hoist/uploads", "", b"").body;
    assert!(
        list.contains(r#""counts":{"unfinished":0,"finished":2,"finishedBytes":3000001}"#),
        "{list}"
    );
}
