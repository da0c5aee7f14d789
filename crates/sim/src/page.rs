//! A page: the engine and a driver of it, as a browser would be.

use std::{collections::BTreeMap, rc::Rc, time::Duration};

use bytes::Bytes;
use hoist_engine::{Action, Engine, EngineConfig, Event, FileKey, Notice, Picked, RequestId};
use hoist_protocol::{
    ChunkResult, FileState, Limits, ListResponse, PackManifest, Receipt, Sender, chunk_checksum,
    route,
};
use serde::Serialize;
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinHandle,
    time::sleep,
};

use crate::{
    chance::{Chance, Fault},
    link::{self, Call},
    world::World,
};

/// No world takes longer than this.
const END_MS: u64 = 6 * 3600 * 1000;

/// What one page has seen at its end: the receipt of each file.
pub(crate) type Receipts = BTreeMap<usize, Receipt>;

/// What the person does on a page besides adding all files.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Plan {
    /// The page is reloaded after this time, and all files are added again.
    pub(crate) reload_ms: Option<u64>,
    pub(crate) pause_ms: Option<u64>,
    pub(crate) offline_ms: Option<u64>,
    /// A file that no other page has is added, and cancelled after this time.
    pub(crate) cancel_ms: Option<u64>,
}

pub(crate) struct Page {
    world: Rc<World>,
    engine: Engine,
    /// What each key stands for; `None` for listed rows.
    files: Vec<Option<usize>>,
    extra: Option<FileKey>,
    events: UnboundedSender<Event>,
    running: BTreeMap<RequestId, JoinHandle<()>>,
    /// The lengths of the chunks of packs under way.
    packs: BTreeMap<RequestId, Vec<u64>>,
    shown: u64,
    log: Vec<String>,
}

/// The bytes of the file that is cancelled.
pub(crate) const EXTRA: &[u8] = &[7; 300_000];

impl Page {
    fn new(world: &Rc<World>, name: &str, seed: u64) -> (Self, UnboundedReceiver<Event>) {
        let (events, inbox) = unbounded_channel();
        let mut config = EngineConfig::new(Sender::new(name).unwrap());
        config.chunk_size = Some(1);
        config.read_ahead = 1 << 20;
        config.whole_files = seed % 2 == 1;
        // A proxy in trouble is not what is tried here.
        config.retry.proxy_refusals = 1000;
        config.retry.mismatches = 1000;
        let page = Self {
            world: Rc::clone(world),
            engine: Engine::new(config, seed),
            files: Vec::new(),
            extra: None,
            events,
            running: BTreeMap::new(),
            packs: BTreeMap::new(),
            shown: 0,
            log: Vec::new(),
        };
        (page, inbox)
    }

    /// Lives until all files are settled.
    pub(crate) async fn live(
        world: Rc<World>,
        name: &'static str,
        start_ms: u64,
        plan: Plan,
    ) -> Receipts {
        sleep(Duration::from_millis(start_ms)).await;
        if let Some(reload_ms) = plan.reload_ms {
            let first = Plan {
                reload_ms: None,
                ..plan
            };
            let (mut page, inbox) = Self::new(&world, name, start_ms);
            let life = tokio::time::timeout(
                Duration::from_millis(reload_ms),
                page.run(inbox, first, false),
            );
            if let Ok(receipts) = life.await {
                return receipts;
            }
            world.count(Fault::PageReloaded);
            page.close();
        }
        let (mut page, inbox) = Self::new(&world, &format!("{name}-again"), start_ms + 1);
        let plan = Plan {
            cancel_ms: plan.cancel_ms.filter(|_| plan.reload_ms.is_none()),
            ..plan
        };
        page.run(inbox, plan, plan.reload_ms.is_some()).await
    }

    /// The tab is gone, and all its requests with it.
    fn close(&mut self) {
        for task in std::mem::take(&mut self.running).into_values() {
            task.abort();
        }
        for pack in std::mem::take(&mut self.packs).into_values() {
            self.world.waste(pack.iter().sum());
        }
    }

    /// Counts the bytes of chunks that were sent and not acknowledged.
    fn waste(&mut self, request: RequestId, results: &[ChunkResult]) {
        let lengths = self.packs.remove(&request).unwrap_or_default();
        for (at, length) in lengths.into_iter().enumerate() {
            if !matches!(results.get(at), Some(ChunkResult::Acknowledged)) {
                self.world.waste(length);
            }
        }
    }

    async fn run(
        &mut self,
        mut inbox: UnboundedReceiver<Event>,
        plan: Plan,
        lists: bool,
    ) -> Receipts {
        self.feed(Event::Limits(self.limits().await));
        if lists {
            let event = self.listed().await;
            self.feed(event);
        }
        self.schedule(plan);
        for n in 0..self.world.sources.len() {
            let source = &self.world.sources[n];
            let file = Picked {
                name: source.name.clone(),
                path: source.path.clone(),
                size: source.bytes.len() as u64,
                last_modified: Some(1_600_000_000_000 + n as i64),
                ..Picked::default()
            };
            self.add(file, Some(n));
            if n % 7 == 3 {
                // A folder is read in steps.
                sleep(Duration::from_millis(15)).await;
            }
        }
        if plan.cancel_ms.is_some() {
            let file = Picked {
                name: "unwanted".to_owned(),
                size: EXTRA.len() as u64,
                last_modified: Some(1),
                ..Picked::default()
            };
            self.extra = Some(FileKey(u32::try_from(self.files.len()).unwrap()));
            self.add(file, None);
        }
        while self.engine.snapshot().totals.unsettled > 0 || self.has_extra() {
            let deadline = self.engine.deadline();
            let wait = deadline.map_or(END_MS, |at| at.since(self.world.now()));
            let event = tokio::select! {
                biased;
                event = inbox.recv() => event.unwrap(),
                () = sleep(Duration::from_millis(wait)) => Event::Tick,
            };
            self.feed(event);
            assert!(
                self.world.start.elapsed() < Duration::from_millis(END_MS),
                "it does not end\n{}\n{:#?}",
                self.log.join("\n"),
                self.engine
                    .snapshot()
                    .rows()
                    .filter(|row| !row.state.is_settled())
                    .collect::<Vec<_>>(),
            );
        }
        self.receipts()
    }

    /// Whether the cancelled file is still there; it may have been finished before the cancel.
    fn has_extra(&self) -> bool {
        let row = self.extra.and_then(|key| self.engine.snapshot().row(key));
        row.is_some_and(|row| !matches!(row.state.name(), "cancelled" | "deleting" | "deleted"))
    }

    fn add(&mut self, file: Picked, source: Option<usize>) {
        let key = FileKey(u32::try_from(self.files.len()).unwrap());
        self.files.push(source);
        self.feed(Event::Added { key, file });
    }

    /// The person's doings, each at its time.
    fn schedule(&self, plan: Plan) {
        let mut chance = Chance::new(self.world.below(u64::MAX));
        let at = |ms: u64, event: Event| {
            let events = self.events.clone();
            tokio::task::spawn_local(async move {
                sleep(Duration::from_millis(ms)).await;
                let _ = events.send(event);
            });
        };
        if let Some(ms) = plan.pause_ms {
            self.world.count(Fault::PausedAll);
            at(ms, Event::PauseAll);
            at(ms + 1 + chance.below(20_000), Event::ResumeAll);
        }
        if let Some(ms) = plan.offline_ms {
            self.world.count(Fault::WentOffline);
            at(ms, Event::Network { online: false });
            at(
                ms + 1 + chance.below(20_000),
                Event::Network { online: true },
            );
        }
        if let Some(ms) = plan.cancel_ms {
            self.world.count(Fault::FileCancelled);
            let many = u32::try_from(self.world.sources.len()).unwrap();
            at(ms, Event::Cancel(FileKey(many)));
        }
    }

    async fn limits(&self) -> Limits {
        let (_, body) = link::get(&self.world, route::LIMITS).await;
        serde_json::from_slice(&body).unwrap()
    }

    /// What the first HTML would list.
    async fn listed(&mut self) -> Event {
        let path = format!("{}?limit=50", route::UPLOADS);
        let (_, body) = link::get(&self.world, &path).await;
        let list: ListResponse = serde_json::from_slice(&body).unwrap();
        let first = u32::try_from(self.files.len()).unwrap();
        let many = u32::try_from(list.uploads.len()).unwrap();
        self.files.extend((0..many).map(|_| None));
        Event::Listed {
            keys: (first..first + many).map(FileKey).collect(),
            uploads: list.uploads,
        }
    }

    fn feed(&mut self, event: Event) {
        self.note(&event);
        if let Event::PackAnswered { request, result } = &event {
            let results = result.as_ref().map(|response| &response.results[..]);
            self.waste(*request, results.unwrap_or_default());
        }
        if let Event::Created { request, .. }
        | Event::Status { request, .. }
        | Event::PackAnswered { request, .. }
        | Event::Deleted { request, .. } = &event
        {
            self.running.remove(request);
        }
        self.engine.handle(self.world.now(), event);
        while let Some(action) = self.engine.next_action() {
            self.act(action);
        }
        let snapshot = self.engine.snapshot();
        let totals = snapshot.totals;
        assert!(
            totals.shown <= totals.acknowledged + totals.in_flight,
            "{totals:?}"
        );
        // The cancelled file goes out of the sums.
        let floor = self.shown.saturating_sub(EXTRA.len() as u64);
        assert!(
            totals.shown
                >= if self.extra.is_some() {
                    floor
                } else {
                    self.shown
                },
            "what is shown went back from {}: {totals:?}",
            self.shown
        );
        self.shown = totals.shown;
    }

    fn note(&mut self, event: &Event) {
        if std::env::var_os("HOIST_SIM_LOG").is_some() {
            let text = format!("{:?} {event:?}", self.world.start.elapsed());
            println!("{}", text.chars().take(600).collect::<String>());
        }
    }

    fn bytes(&self, key: FileKey) -> Bytes {
        self.files[key.0 as usize].map_or(Bytes::from_static(EXTRA), |n| {
            self.world.sources[n].bytes.clone()
        })
    }

    fn act(&mut self, action: Action) {
        if std::env::var_os("HOIST_SIM_LOG").is_some() {
            let text = format!("    {action:?}");
            println!("{}", text.chars().take(400).collect::<String>());
        }
        match action {
            Action::Create { request, body } => {
                self.call(request, json(route::UPLOADS, &body), |request, result| {
                    Event::Created { request, result }
                });
            }
            Action::Status { request, body } => {
                self.call(request, json(route::STATUS, &body), |request, result| {
                    Event::Status { request, result }
                });
            }
            Action::Delete { request, body } => {
                self.call(request, json(route::DELETE, &body), |request, result| {
                    Event::Deleted { request, result }
                });
            }
            Action::Restore { request, body } => {
                self.call(request, json(route::RESTORE, &body), |request, result| {
                    Event::Deleted { request, result }
                });
            }
            Action::SendPack {
                request,
                manifest,
                parts,
            } => {
                let lengths = manifest.chunks.iter().map(|chunk| chunk.length);
                self.packs.insert(request, lengths.collect());
                let parts = parts
                    .iter()
                    .map(|&(key, range)| {
                        let (start, end) = (range.start as usize, range.end as usize);
                        self.bytes(key).slice(start..end)
                    })
                    .collect();
                let call = Call {
                    path: route::PACKS,
                    head: head(&manifest),
                    parts,
                };
                self.call(request, call, |request, result| Event::PackAnswered {
                    request,
                    result,
                });
            }
            Action::Abort { request } => {
                if let Some(task) = self.running.remove(&request) {
                    task.abort();
                }
                self.waste(request, &[]);
            }
            Action::Hash {
                key, index, layout, ..
            } => {
                let range = layout.range(index).unwrap();
                let bytes = self
                    .bytes(key)
                    .slice(range.start as usize..range.end as usize);
                let checksum = chunk_checksum(layout, index, &bytes).ok();
                let _ = self.events.send(Event::Hashed {
                    key,
                    index,
                    checksum,
                });
            }
            Action::Probe { key } => {
                let _ = self.events.send(Event::Probed {
                    key,
                    unchanged: Some(true),
                });
            }
            Action::Notify(Notice::Error { key, code, words }) => {
                panic!("{key:?} failed: {code:?} {words}");
            }
            Action::Forget { .. } | Action::Notify(_) => {}
        }
    }

    fn call<T: serde::de::DeserializeOwned + 'static>(
        &mut self,
        request: RequestId,
        call: Call,
        event: fn(RequestId, Result<T, hoist_engine::Failure>) -> Event,
    ) {
        let (world, events) = (Rc::clone(&self.world), self.events.clone());
        let progress = self.events.clone();
        let task = tokio::task::spawn_local(async move {
            let result = link::call(&world, call, move |sent| {
                let _ = progress.send(Event::PackProgress { request, sent });
            })
            .await;
            let _ = events.send(event(request, result));
        });
        self.running.insert(request, task);
    }

    /// The receipts of all files, which must all be finished.
    fn receipts(&self) -> Receipts {
        let mut receipts = Receipts::new();
        for row in self.engine.snapshot().rows() {
            let source = self.files[row.key.0 as usize];
            match (source, row.state) {
                (Some(n), FileState::Done(receipt) | FileState::Present(receipt)) => {
                    let hash = receipt.hash.map(|hash| hash.to_string());
                    let expected = self.world.sources[n].hash.to_hex().to_string();
                    assert_eq!(hash, Some(expected), "the receipt of {n}");
                    receipts.insert(n, receipt);
                }
                (None, _) if Some(row.key) == self.extra => assert!(!self.has_extra()),
                // Listed, and of a file that was not added again: none but the cancelled one.
                (None, _) if row.name == "unwanted" => {}
                (_, state) => panic!("{} {} ended as {state:?}", row.path, row.name),
            }
        }
        receipts
    }
}

fn json(path: &'static str, body: &impl Serialize) -> Call {
    Call {
        path,
        head: serde_json::to_vec(body).unwrap().into(),
        parts: Vec::new(),
    }
}

/// The length of the manifest, and the manifest.
fn head(manifest: &PackManifest) -> Bytes {
    let manifest = serde_json::to_vec(manifest).unwrap();
    let mut head = u32::try_from(manifest.len())
        .unwrap()
        .to_be_bytes()
        .to_vec();
    head.extend(manifest);
    head.into()
}
