//! The language of the scripts. One file: a verb is understood here, and what comes of it is printed here.
//!
//! `add a 3c` (three chunks of 64 KiB) · `add a 5 in x/y at 7 content 3` · `has a 3c 0-1` (the server
//! has chunks 0 and 1 of it) · `listed` · `wait 2s` · `run` · `ok 1` · `ok all` · `lost 1` ·
//! `unanswered 1` (done, answer lost) · `answer 1`, later `arrive 1` · `cut 1 2` (after two chunks) · `damage 1 0` · `fail 1 503 2s` ·
//! `refuse 1 internal 2s` · `refuse-chunk 1 0 in_flight 2s` · `claim 1 65536` · `unreadable a` ·
//! `changed a` · `content a 9` · `forget-upload a` · `hold-reads` · `read one` ·
//! `page 2` (checksums of a status) · `pause a` · `pause all` · …

use std::{collections::BTreeMap, fmt::Write as _};

use expect_test::Expect;
use hoist_protocol::{
    ChunkResult, ErrorBody, ErrorCode, FileState, NewFile, OnConflict, PackManifest, Receipt,
    UploadId, UploadStatus,
};

use super::super::{
    bench::{Bench, Fate, config},
    server::{Server, checksum, error},
};
use crate::{Action, Elsewhere, EngineConfig, Event, Failure, FileKey, Notice, Picked, RequestId};

const CHUNK: u64 = 64 << 10;

pub(super) struct Story {
    bench: Bench,
    names: Vec<String>,
    holds_reads: bool,
    /// Answers that left the server and have not arrived.
    late: BTreeMap<u64, Event>,
    out: String,
}

#[expect(clippy::needless_pass_by_value, reason = "as expect-test is used")]
pub(super) fn check(script: &str, expect: Expect) {
    expect.assert_eq(&tell(short(), script));
}

#[expect(clippy::needless_pass_by_value, reason = "as expect-test is used")]
pub(super) fn check_with(change: impl FnOnce(&mut EngineConfig), script: &str, expect: Expect) {
    let mut config = short();
    change(&mut config);
    expect.assert_eq(&tell(config, script));
}

/// With two packs at once the stories stay short.
fn short() -> EngineConfig {
    EngineConfig {
        max_concurrent: 2,
        ..config()
    }
}

fn tell(config: EngineConfig, script: &str) -> String {
    let mut story = Story {
        bench: Bench::new(config),
        names: Vec::new(),
        holds_reads: false,
        late: BTreeMap::new(),
        out: String::new(),
    };
    for line in script
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
    {
        writeln!(story.out, "> {line}").unwrap();
        story.line(line);
        if !story.holds_reads {
            story.bench.read_all();
        }
        story.print_actions();
    }
    story.print_rows();
    story.out
}

fn size(text: &str) -> u64 {
    match text.strip_suffix('c') {
        Some(chunks) => chunks.parse::<u64>().unwrap() * CHUNK,
        None => text.parse().unwrap(),
    }
}

fn ms(text: Option<&str>) -> Option<u64> {
    let text = text?;
    Some(if let Some(ms) = text.strip_suffix("ms") {
        ms.parse().unwrap()
    } else if let Some(minutes) = text.strip_suffix("min") {
        minutes.parse::<u64>().unwrap() * 60_000
    } else {
        text.strip_suffix('s').unwrap().parse::<u64>().unwrap() * 1000
    })
}

fn code(text: &str) -> ErrorCode {
    *ErrorCode::ALL
        .iter()
        .find(|code| code.as_str() == text)
        .unwrap_or_else(|| panic!("no code {text}"))
}

fn named(words: &[&str], name: &str) -> Option<String> {
    let at = words.iter().position(|word| *word == name)?;
    Some(words[at + 1].to_owned())
}

impl Story {
    fn key(&self, name: &str) -> FileKey {
        let at = self.names.iter().rposition(|known| known == name);
        FileKey(u32::try_from(at.unwrap_or_else(|| panic!("no file {name}"))).unwrap())
    }

    fn name(&self, key: FileKey) -> String {
        let name = &self.names[key.0 as usize];
        let same = self.names.iter().filter(|other| *other == name).count();
        if same > 1 {
            format!("{name}({})", key.0)
        } else {
            name.clone()
        }
    }

    #[expect(clippy::too_many_lines, reason = "one arm per word of the language")]
    fn line(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |at: usize| words[at].parse::<u64>().unwrap();
        match words[..] {
            ["add", name, bytes, ..] => {
                self.names.push(name.to_owned());
                let content = named(&words, "content").map_or(1, |n| n.parse().unwrap());
                let file = Picked {
                    name: name.to_owned(),
                    path: named(&words, "in").unwrap_or_default(),
                    size: size(bytes),
                    last_modified: Some(named(&words, "at").map_or(5, |n| n.parse().unwrap())),
                    media_type: None,
                    is_directory: words.contains(&"directory"),
                };
                self.bench.add(file, content);
            }
            ["many", count, bytes] => {
                for n in 0..count.parse::<u32>().unwrap() {
                    self.line(&format!("add f{n} {bytes}"));
                }
            }
            ["has", name, bytes, ref range @ ..] => {
                let (from, to) = match range {
                    [range, ..] if range.contains('-') => {
                        let (from, to) = range.split_once('-').unwrap();
                        (from.parse().unwrap(), to.parse().unwrap())
                    }
                    _ => (0, u32::MAX),
                };
                self.server_has(name, &words, size(bytes), from, to);
            }
            ["listed"] => self.listed(),
            ["wait", time] => {
                let span = ms(Some(time)).unwrap();
                self.bench.wait(span);
            }
            ["run"] => self.bench.run(),
            ["ok", "all"] => {
                let all: Vec<u64> = self.bench.pending.keys().copied().collect();
                for request in all {
                    self.bench.end(request, Fate::Answered);
                }
            }
            ["ok", _] => self.bench.end(number(1), Fate::Answered),
            ["answer", _] => {
                let event = self.bench.outcome(number(1), Fate::Answered).unwrap();
                self.late.insert(number(1), event);
            }
            ["arrive", _] => {
                let event = self.late.remove(&number(1)).unwrap();
                self.bench.handle(event);
            }
            ["lost", _] => self.bench.end(number(1), Fate::Lost),
            ["unanswered", _] => self.bench.end(number(1), Fate::AnswerLost),
            ["cut", _, whole] => {
                self.bench
                    .end(number(1), Fate::CutAfter(whole.parse().unwrap()));
            }
            ["damage", _, at] => {
                self.bench
                    .end(number(1), Fate::Damaged(at.parse().unwrap()));
            }
            ["fail", _, status, ref after @ ..] => {
                let failure = Failure::Foreign {
                    status: status.parse().unwrap(),
                    retry_after_ms: ms(after.first().copied()),
                };
                self.bench.end(number(1), Fate::Failed(failure));
            }
            ["refuse", _, name, ref after @ ..] => {
                let failure = Failure::Refused(error(code(name), ms(after.first().copied())));
                self.bench.end(number(1), Fate::Failed(failure));
            }
            ["refuse-chunk", _, at, name, ref after @ ..] => {
                let body = error(code(name), ms(after.first().copied()));
                self.refuse_chunk(number(1), at.parse().unwrap(), body);
            }
            ["claim", _, bytes] => {
                let request = RequestId(number(1));
                let sent = size(bytes);
                self.bench.handle(Event::PackProgress { request, sent });
            }
            ["unreadable", name] => {
                let key = self.key(name);
                self.bench.contents[key.0 as usize].is_readable = false;
            }
            ["changed", name] => {
                let key = self.key(name);
                self.bench.contents[key.0 as usize].is_unchanged = false;
            }
            ["forget-upload", name] => {
                let id = self.bench.upload_of(self.key(name)).unwrap();
                self.bench.server.uploads.remove(&id);
            }
            ["complete-silently", name] => {
                let id = self.bench.upload_of(self.key(name)).unwrap();
                let upload = self.bench.server.uploads.get_mut(&id).unwrap();
                for index in 0..upload.layout.count() {
                    upload.chunks.insert(index, checksum(1, index));
                }
            }
            ["hold-reads"] => self.holds_reads = true,
            ["read"] => self.bench.read_all(),
            ["read", "one"] => {
                let read = self.bench.reads.pop_front().unwrap();
                let event = self.bench.read(&read);
                self.bench.handle(event);
            }
            ["page", _] => self.bench.server.page = usize::try_from(number(1)).unwrap(),
            ["grace", _] => self.bench.server.grace = number(1),
            ["limit", "batch", _] => {
                let limits = hoist_protocol::Limits {
                    batch: u32::try_from(number(2)).unwrap(),
                    ..hoist_protocol::Limits::default()
                };
                self.bench.handle(Event::Limits(limits));
            }
            ["offline"] => self.bench.handle(Event::Network { online: false }),
            ["online"] => self.bench.handle(Event::Network { online: true }),
            ["signed-in"] => self.bench.handle(Event::SignedIn),
            ["start"] => self.bench.handle(Event::Start),
            ["pause", "all"] => self.bench.handle(Event::PauseAll),
            ["resume", "all"] => self.bench.handle(Event::ResumeAll),
            ["try", "now"] => self.bench.handle(Event::TryNow),
            ["cancel", "all"] => self.bench.handle(Event::CancelAll),
            ["restore", "all"] => self.bench.handle(Event::RestoreAll),
            ["retry", "all"] => self.bench.handle(Event::RetryAll),
            ["elsewhere", name, what] => {
                let key = self.key(name);
                let row = self.bench.engine.snapshot().row(key).unwrap();
                let upload = row.upload.unwrap();
                let of_server = self.bench.server.uploads.get(&upload);
                let receipt = of_server.and_then(|upload| upload.receipt.clone());
                let change = match what {
                    "deleted" => Elsewhere::Deleted {
                        upload,
                        until: Some(self.bench.now.plus(10_000).0),
                    },
                    "gone" => Elsewhere::Deleted {
                        upload,
                        until: None,
                    },
                    "restored" => Elsewhere::Restored(receipt.unwrap()),
                    new => Elsewhere::Renamed(Receipt {
                        stored_as: new.to_owned(),
                        ..receipt.unwrap()
                    }),
                };
                self.bench.handle(Event::Elsewhere(change));
            }
            ["resolve", name, choice] => {
                let key = self.key(name);
                let choice = (choice == "keep").then_some(OnConflict::KeepBoth);
                self.bench.handle(Event::Resolve { key, choice });
            }
            [verb, name] => {
                let key = self.key(name);
                self.bench.handle(match verb {
                    "pause" => Event::Pause(key),
                    "resume" => Event::Resume(key),
                    "cancel" => Event::Cancel(key),
                    "retry" => Event::Retry(key),
                    "delete" => Event::Delete(key),
                    "restore" => Event::Restore(key),
                    "remove" => Event::Remove(key),
                    _ => panic!("no verb {verb}"),
                });
            }
            _ => panic!("not understood: {line}"),
        }
    }

    fn server_has(&mut self, name: &str, words: &[&str], bytes: u64, from: u32, to: u32) {
        let content = named(words, "content").map_or(1, |n| n.parse().unwrap());
        let file = NewFile {
            name: name.to_owned(),
            path: named(words, "in").unwrap_or_default(),
            size: Some(bytes),
            last_modified: Some(named(words, "at").map_or(5, |n| n.parse().unwrap())),
            ..NewFile::default()
        };
        let server: &mut Server = &mut self.bench.server;
        let sender = config().sender;
        let answers = server
            .create(&hoist_protocol::CreateRequest {
                sender: sender.clone(),
                files: vec![file],
            })
            .answers;
        let [hoist_protocol::CreateAnswer::Needed(needed)] = &answers[..] else {
            return;
        };
        let layout = server.uploads[&needed.id].layout;
        let indexes = || (from..layout.count()).take_while(|&index| index <= to);
        let manifest = PackManifest {
            sender,
            attempt: 0,
            chunks: indexes()
                .map(|index| hoist_protocol::PackChunk {
                    upload: needed.id,
                    index,
                    length: layout.range(index).unwrap().len(),
                    checksum: None,
                    last: false,
                })
                .collect(),
        };
        let arrived: Vec<_> = indexes().map(|index| checksum(content, index)).collect();
        server.pack(&manifest, &arrived, usize::MAX);
    }

    fn listed(&mut self) {
        let mut keys = Vec::new();
        let mut uploads = Vec::new();
        for (&id, upload) in &self.bench.server.uploads {
            keys.push(FileKey(u32::try_from(self.names.len()).unwrap()));
            self.names.push(format!("listed-{}", upload.file.name));
            uploads.push(match &upload.receipt {
                Some(receipt) => UploadStatus::Finished {
                    receipt: receipt.clone(),
                },
                None => UploadStatus::Unfinished(Server::unfinished(id, upload)),
            });
            self.bench.contents.push(super::super::bench::Content {
                id: 0,
                is_readable: false,
                is_unchanged: true,
            });
        }
        self.bench.handle(Event::Listed { keys, uploads });
    }

    fn refuse_chunk(&mut self, request: u64, at: usize, body: ErrorBody) {
        let Some(Action::SendPack { manifest, .. }) = self.bench.pending.get(&request).cloned()
        else {
            panic!("no pack {request}");
        };
        let refused = manifest.chunks[at].clone();
        // The server does the others.
        let mut rest = manifest;
        rest.chunks.remove(at);
        let Some(Action::SendPack { parts, .. }) = self.bench.pending.get(&request).cloned() else {
            panic!("no pack {request}");
        };
        let mut arrived = self.bench.arrived(&parts);
        arrived.remove(at);
        let mut response = self.bench.server.pack(&rest, &arrived, usize::MAX);
        response.results.insert(at, ChunkResult::Refused(body));
        response
            .receipts
            .retain(|receipt| receipt.id != refused.upload);
        self.bench.pending.remove(&request);
        self.bench.handle(Event::PackAnswered {
            request: RequestId(request),
            result: Ok(response),
        });
    }

    fn of(&self, id: UploadId) -> String {
        self.bench
            .server
            .uploads
            .get(&id)
            .map_or_else(|| "gone".to_owned(), |upload| upload.file.name.clone())
    }

    fn print_actions(&mut self) {
        let log = std::mem::take(&mut self.bench.log);
        let mut lines: Vec<String> = Vec::new();
        let mut at = 0;
        while at < log.len() {
            // Neighbours of one sort in one line.
            if let Action::Hash {
                key, index, keep, ..
            } = log[at]
            {
                let mut last = index;
                while let Some(Action::Hash {
                    key: k,
                    index: i,
                    keep: kept,
                    ..
                }) = log.get(at + 1)
                    && (*k, *i, *kept) == (key, last + 1, keep)
                {
                    last += 1;
                    at += 1;
                }
                let verb = if keep { "hash" } else { "compare" };
                let name = self.name(key);
                lines.push(format!("{verb} {name}:{}", span(index, last)));
            } else if let Action::Notify(Notice::Chunk { key, index }) = log[at] {
                let mut last = index;
                while let Some(Action::Notify(Notice::Chunk { key: k, index: i })) = log.get(at + 1)
                    && (*k, *i) == (key, last + 1)
                {
                    last += 1;
                    at += 1;
                }
                lines.push(format!("· chunk {}:{}", self.name(key), span(index, last)));
            } else {
                lines.push(self.action(&log[at]));
            }
            at += 1;
        }
        let many = lines.len();
        for line in lines.iter().take(14) {
            writeln!(self.out, "  {line}").unwrap();
        }
        if many > 14 {
            writeln!(self.out, "  … {} more", many - 14).unwrap();
        }
    }

    fn action(&self, action: &Action) -> String {
        match action {
            Action::Create { request, body } => {
                let names = few(body.files.iter().map(|file| file.name.clone()));
                format!("create #{} {names}", request.0)
            }
            Action::Status { request, body } => {
                let names = few(body.ids.iter().map(|&id| self.of(id)));
                match body.checksums {
                    Some(asked) => format!(
                        "checksums #{} {names} from {} ≤{}",
                        request.0, asked.from, asked.count
                    ),
                    None => format!("status #{} {names}", request.0),
                }
            }
            Action::SendPack {
                request,
                manifest,
                parts,
            } => {
                let mut runs: Vec<(FileKey, u32, u32)> = Vec::new();
                for (chunk, &(key, range)) in manifest.chunks.iter().zip(parts) {
                    assert_eq!(chunk.length, range.len());
                    match runs.last_mut() {
                        Some((k, _, to)) if *k == key && *to + 1 == chunk.index => *to += 1,
                        _ => runs.push((key, chunk.index, chunk.index)),
                    }
                }
                let runs = few(runs
                    .into_iter()
                    .map(|(key, from, to)| format!("{}:{}", self.name(key), span(from, to))));
                let again = match manifest.attempt {
                    0 => String::new(),
                    n => format!(" (attempt {n})"),
                };
                format!("pack #{} {runs}{again}", request.0)
            }
            Action::Abort { request } => format!("abort #{}", request.0),
            Action::Delete { request, body } => {
                let names = few(body.ids.iter().map(|&id| self.of(id)));
                format!("delete #{} {names}", request.0)
            }
            Action::Restore { request, body } => {
                let names = few(body.ids.iter().map(|&id| self.of(id)));
                format!("restore #{} {names}", request.0)
            }
            Action::Probe { key } => format!("probe {}", self.name(*key)),
            Action::Forget { key, index } => match index {
                Some(index) => format!("forget {}:{index}", self.name(*key)),
                None => format!("forget {}", self.name(*key)),
            },
            Action::Notify(notice) => format!("· {}", self.notice(notice)),
            Action::Hash { .. } => String::new(),
        }
    }

    fn notice(&self, notice: &Notice) -> String {
        let name = |key: &FileKey| self.name(*key);
        match notice {
            Notice::FileAdded(key) => format!("added {}", name(key)),
            Notice::RestrictionFailed { key, words } => format!("not taken {}: {words}", name(key)),
            Notice::Duplicate { key, of } => format!("duplicate {} of {}", name(key), name(of)),
            Notice::Replaced { key, by } => format!("replaced {} by {}", name(key), name(by)),
            Notice::Started(key) => format!("started {}", name(key)),
            Notice::Chunk { key, index } => format!("chunk {}:{index}", name(key)),
            Notice::Success { key, .. } => format!("success {}", name(key)),
            Notice::Skipped { key, .. } => format!("skipped {}", name(key)),
            Notice::Error { key, code, words } => match code {
                Some(code) => format!("error {} {code}: {words}", name(key)),
                None => format!("error {}: {words}", name(key)),
            },
            Notice::Retry(key) => format!("retry {}", name(key)),
            Notice::Conflict(key) => format!("conflict {}", name(key)),
            Notice::Cancelled(key) => format!("cancelled {}", name(key)),
            Notice::Deleted { key, .. } => format!("deleted {}", name(key)),
            Notice::Restored { key, .. } => format!("restored {}", name(key)),
            Notice::Paused(reason) => format!("paused: {}", reason.word()),
            Notice::Resumed => "resumed".to_owned(),
            Notice::Stalled => "stalled".to_owned(),
            Notice::Complete => "complete".to_owned(),
        }
    }

    fn print_rows(&mut self) {
        let snapshot = self.bench.engine.snapshot();
        let mut lines = Vec::new();
        for row in snapshot.rows() {
            let kib = |bytes: u64| {
                if bytes.is_multiple_of(CHUNK) {
                    format!("{}c", bytes / CHUNK)
                } else {
                    bytes.to_string()
                }
            };
            let state = match &row.state {
                FileState::Failed { words, .. } => format!("failed: {words}"),
                FileState::Done(Receipt { stored_as, .. }) => format!("done as {stored_as}"),
                state => state.word().to_lowercase(),
            };
            lines.push(format!(
                "= {} {}/{} {state}",
                self.name(row.key),
                kib(row.shown),
                kib(row.size)
            ));
        }
        let many = lines.len();
        for line in lines.iter().take(12) {
            writeln!(self.out, "{line}").unwrap();
        }
        if many > 12 {
            writeln!(self.out, "= … {} more", many - 12).unwrap();
        }
    }
}

fn span(from: u32, to: u32) -> String {
    if from == to {
        from.to_string()
    } else {
        format!("{from}-{to}")
    }
}

fn few(names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.collect();
    if names.len() > 6 {
        format!("{} … {} in all", names[..3].join(" "), names.len())
    } else {
        names.join(" ")
    }
}
