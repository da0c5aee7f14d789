//! The whole program, with its real catalog, on a real file system whose disk is cut off under load.
//!
//! ```text
//!   the data folder on ext4, in a file `disk` on XFS
//!   a cut: a clone of `disk` in one moment (a reflink), while everything goes on
//!   the next server, in another boot, on the clone, after ext4 has replayed its journal
//! ```
//!
//! What the kernel had not written yet is not in the clone, like after a power failure.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    panic::AssertUnwindSafe,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{
    load::{Known, Load},
    rounds,
};
use crate::program::{Program, until};

/// Runs a program of the system; what it says if it fails.
pub(super) fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "{program} {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    ))
}

/// A file system in a file; unmounted when it is dropped.
pub(super) struct Mount {
    at: PathBuf,
}

impl Mount {
    pub(super) fn new(image: &Path, at: &Path) -> Result<Self, String> {
        fs::create_dir_all(at).map_err(|error| error.to_string())?;
        run(
            "mount",
            &["-o", "loop", image.to_str().unwrap(), at.to_str().unwrap()],
        )?;
        Ok(Self { at: at.to_owned() })
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily: the namespace of a server that was just killed may still hold it for a moment.
        if let Err(why) = run("umount", &["--lazy", self.at.to_str().unwrap()]) {
            let _ = writeln!(std::io::stderr(), "{why}");
        }
    }
}

/// A machine with a disk that can be cut off.
struct Machine {
    // Unmounted in this order.
    inner: Option<Mount>,
    outer: Mount,
    folder: tempfile::TempDir,
}

impl Machine {
    fn new() -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let (image, at) = (folder.path().join("outer.img"), folder.path().join("outer"));
        let name = image.to_str().unwrap();
        run("truncate", &["--size", "3G", name])?;
        run("mkfs.xfs", &["-q", "-m", "reflink=1", name])?;
        let outer = Mount::new(&image, &at)?;
        let disk = at.join("disk");
        run("truncate", &["--size", "1G", disk.to_str().unwrap()])?;
        run("mkfs.ext4", &["-q", "-F", disk.to_str().unwrap()])?;
        let mut machine = Self {
            inner: None,
            outer,
            folder,
        };
        machine.inner = Some(Mount::new(&disk, &machine.at())?);
        Ok(machine)
    }

    fn at(&self) -> PathBuf {
        self.folder.path().join("inner")
    }

    fn data(&self) -> PathBuf {
        self.at().join("data")
    }

    /// What is on the disk at this moment.
    fn cut(&self) {
        let (disk, clone) = (self.outer.at.join("disk"), self.outer.at.join("clone"));
        run(
            "cp",
            &[
                "--reflink=always",
                disk.to_str().unwrap(),
                clone.to_str().unwrap(),
            ],
        )
        .unwrap();
    }

    /// The power is back: the disk is what it was when it was cut.
    fn boot(&mut self) {
        self.inner = None;
        let (disk, clone) = (self.outer.at.join("disk"), self.outer.at.join("clone"));
        run(
            "mv",
            &["--force", clone.to_str().unwrap(), disk.to_str().unwrap()],
        )
        .unwrap();
        self.inner = Some(Mount::new(&disk, &self.at()).unwrap());
    }

    /// A server in a boot of its own: this one's number is bound over the kernel's.
    fn start(&self, boot: u64, flags: &[&str]) -> Program {
        let (id, script) = (
            self.folder.path().join("boot_id"),
            self.folder.path().join("hoist"),
        );
        fs::write(&id, format!("boot {boot}\n")).unwrap();
        let text = format!(
            "#!/bin/sh\nexec unshare --mount sh -c 'mount --bind \"$0\" /proc/sys/kernel/random/boot_id && exec \"$@\"' {} {} \"$@\"\n",
            id.display(),
            Program::path().display()
        );
        fs::write(&script, text).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        Program::start_program(&script, &self.data(), flags, &[])
    }
}

/// Everything that lies among the files is whole, whether anybody was told of it or not.
fn all_whole(load: &Load, files: &Path) -> usize {
    let mut count = 0;
    let Ok(folders) = fs::read_dir(files) else {
        return 0;
    };
    for folder in folders {
        for file in fs::read_dir(folder.unwrap().path()).unwrap() {
            let file = file.unwrap();
            let name = file.file_name().into_string().unwrap();
            let number: u64 = name.strip_suffix(".bin").unwrap().parse().unwrap();
            assert!(
                fs::read(file.path()).unwrap() == load.whole(number),
                "{name} has other bytes"
            );
            count += 1;
        }
    }
    count
}

/// A machine, unless this one cannot be one. Then that is said where it is seen.
fn machine() -> Option<Machine> {
    let why = match Machine::new() {
        Ok(machine) => return Some(machine),
        Err(why) => why,
    };
    let line = "SKIPPED: a disk that is cut needs root, loop devices, XFS and ext4";
    // Not by a macro: the test runner keeps those to itself.
    let _ = writeln!(std::io::stderr(), "\n!!! {line}: {why}\n");
    None
}

/// Load, a cut in its middle and the end of the server: what it had promised before the cut.
fn cut_under_load(machine: &mut Machine, load: &Load, round: u64, flags: &[&str]) -> Vec<Known> {
    let mut program = machine.start(round, flags);
    load.catch_up(&program.addr);
    let goal = load.acknowledged() + 1 + round * 53 % 307;
    let (addr, attempt) = (program.addr.clone(), u32::try_from(round).unwrap());
    let known = std::thread::scope(|scope| {
        let running = scope.spawn(|| load.run(&addr, attempt));
        until("enough is acknowledged", || {
            load.acknowledged() >= goal || running.is_finished()
        });
        // What was promised before the cut must be in it; what comes while it is made may be.
        let known = load.known();
        machine.cut();
        program.signal("KILL");
        known
    });
    machine.boot();
    known
}

#[test]
fn cut_off_from_its_disk_again_and_again_it_loses_nothing_that_it_has_acknowledged() {
    let rounds = rounds("HOIST_LAB_CUTS_REAL", 4);
    let Some(mut machine) = machine() else { return };
    let load = Load::new(2);
    let (mut chunks, mut finished) = (0, 0);
    for round in 0..rounds {
        let known = cut_under_load(&mut machine, &load, round, &[]);
        let files = machine.data().join("files");
        all_whole(&load, &files);
        let program = machine.start(round + 1000, &[]);
        (chunks, finished) = load.compare(&program.addr, &files, &known);
        load.go_back_to(known);
    }
    let program = machine.start(9999, &[]);
    load.catch_up(&program.addr);
    load.finish(&program.addr, u32::try_from(rounds).unwrap());
    let files = machine.data().join("files");
    load.compare(&program.addr, &files, &load.known());
    let whole = all_whole(&load, &files);
    assert!(finished > 0 && whole >= finished, "{finished} {whole}");
    println!(
        "power, real disk: {rounds} cuts, {chunks} chunks and {finished} files compared at the last, {whole} files whole"
    );
}

#[test]
fn the_lab_sees_a_server_that_does_not_sync() {
    let Some(mut machine) = machine() else { return };
    let load = Load::new(3);
    let known = cut_under_load(&mut machine, &load, 3, &["--durability", "process"]);
    let program = machine.start(1000, &[]);
    let files = machine.data().join("files");
    let compared = std::panic::catch_unwind(AssertUnwindSafe(|| {
        load.compare(&program.addr, &files, &known)
    }));
    assert!(compared.is_err(), "everything is there: {compared:?}");
}
