//! The archive as an independent reader sees it: Python's.

use std::process::Command;

use hoist_protocol::{ErrorCode, NewFile};

use crate::support::{C, Server, bytes, file};

/// Lines `name size crc-is-right year`, in the archive's order; and every byte was read.
const READER: &str = r#"
import sys, zipfile
archive = zipfile.ZipFile(sys.argv[1])
assert archive.testzip() is None
for info in archive.infolist():
    data = archive.read(info)
    print(info.filename, len(data), sum(data) % 65521, info.date_time[0], sep="|")
"#;

fn read(archive: &[u8]) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), archive).unwrap();
    let output = Command::new("python3")
        .args(["-c", READER])
        .arg(file.path())
        .env("PYTHONIOENCODING", "utf-8")
        .output()
        .unwrap();
    let failed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{failed}");
    String::from_utf8(output.stdout).unwrap()
}

fn line(name: &str, content: &[u8], year: u32) -> String {
    let sum = content.iter().map(|&byte| u64::from(byte)).sum::<u64>() % 65_521;
    format!("{name}|{}|{sum}|{year}\n", content.len())
}

fn below(path: &str, name: &str, size: u64) -> NewFile {
    NewFile {
        path: path.to_owned(),
        last_modified: Some(951_827_696_000),
        ..file(name, size)
    }
}

#[tokio::test]
async fn all_files_or_those_of_a_folder_come_in_one_archive() {
    for server in Server::both().await {
        let answer = server.get("/zip").await;
        assert_eq!(answer.error(), (404, ErrorCode::NotFound));
        let (big, small) = (bytes(9 * C + 7), bytes(3));
        server
            .upload(below("照片/夏 1", "海.jpg", 9 * C + 7), &big)
            .await;
        server.upload(below("照片/夏 10", "b", 3), &small).await;
        server.upload(below("", "leer.txt", 0), &[]).await;
        server.create("unfinished", 5).await;

        let answer = server.get("/zip").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some("application/zip"));
        let length = answer.body.len().to_string();
        assert_eq!(answer.header("content-length"), Some(length.as_str()));
        let expected = [
            line("leer.txt", &[], 2000),
            line("照片/夏 1/海.jpg", &big, 2000),
            line("照片/夏 10/b", &small, 2000),
        ];
        assert_eq!(read(&answer.body), expected.concat());

        // One folder is not another one that begins alike.
        let path = "/zip/%E7%85%A7%E7%89%87/%E5%A4%8F%201";
        let answer = server.get(path).await;
        assert_eq!(read(&answer.body), line("夏 1/海.jpg", &big, 2000));
        let name = answer.header("content-disposition").unwrap();
        assert!(name.ends_with("UTF-8''%E5%A4%8F%201.zip"), "{name}");
        for nothing in ["/zip/nowhere", "/zip/%E7%85%A7", "/zip/..", "/zip/%FF"] {
            let answer = server.get(nothing).await;
            assert_eq!(answer.error(), (404, ErrorCode::NotFound), "{nothing}");
        }
    }
}
