use hoist_engine::{Engine, EngineConfig, Event, Picked};
use hoist_protocol::{
    ByteRange, ListCounts, ListResponse, Millis, Sender, Unfinished, UploadId, UploadStatus,
};

use super::*;
use crate::board::listed;

/// An engine, the signals, and what stands between them.
struct Desk {
    engine: Engine,
    publisher: Publisher,
    board: Board,
    added: u32,
}

impl Desk {
    fn new() -> Self {
        Self {
            engine: Engine::new(EngineConfig::new(Sender::new("desk").unwrap()), 1),
            publisher: Publisher::default(),
            board: Board::default(),
            added: 0,
        }
    }

    fn add(&mut self, count: u32) {
        for _ in 0..count {
            let file = Picked {
                name: format!("{}.txt", self.added),
                size: 10,
                ..Picked::default()
            };
            let key = FileKey(self.added);
            self.added += 1;
            self.engine.handle(Millis(1), Event::Added { key, file });
        }
    }

    fn list(&mut self, names: &[&str]) {
        let uploads = names
            .iter()
            .zip(0u8..)
            .map(|(name, number)| {
                UploadStatus::Unfinished(Unfinished {
                    id: UploadId::from_bytes([number; 16]),
                    name: (*name).to_owned(),
                    path: String::new(),
                    size: Some(100),
                    last_modified: None,
                    media_type: None,
                    chunk_size: 1 << 16,
                    received: vec![ByteRange::new(0, 10)],
                    expires: 0,
                    checksums: Vec::new(),
                })
            })
            .collect();
        let list = ListResponse {
            uploads,
            next: None,
            counts: ListCounts::default(),
        };
        let first = self.added;
        self.added += u32::try_from(names.len()).unwrap();
        self.publisher.add_listed(first..self.added);
        self.engine.handle(Millis(1), listed(first, &list));
    }

    fn publish(&mut self, first: u32) {
        self.publisher
            .look(self.engine.snapshot(), first)
            .publish(&self.board);
    }

    fn names(&self) -> Vec<String> {
        let rows = self.board.visible.get_untracked();
        rows.iter()
            .map(|row| row.file.get_untracked().name.to_string())
            .collect()
    }

    fn serials(&self) -> Vec<u64> {
        let rows = self.board.visible.get_untracked();
        rows.iter().map(|row| row.serial).collect()
    }
}

#[test]
fn what_the_server_listed_comes_after_what_was_added_now() {
    let mut desk = Desk::new();
    desk.list(&["old a", "old b"]);
    desk.add(2);
    desk.publish(0);
    assert_eq!(desk.names(), ["2.txt", "3.txt", "old a", "old b"]);
    let positions: Vec<_> = desk
        .board
        .visible
        .get_untracked()
        .iter()
        .map(|row| row.file.get_untracked().position)
        .collect();
    assert_eq!(positions, [0, 1, 2, 3]);
    assert_eq!(desk.board.count.get_untracked(), 4);
}

#[test]
fn of_ten_thousand_rows_fifty_have_signals_and_they_are_the_wanted_ones() {
    let mut desk = Desk::new();
    desk.add(10_000);
    desk.publish(0);
    assert_eq!(
        (desk.names().len(), desk.names()[0].as_str()),
        (50, "0.txt")
    );
    desk.publish(5_000);
    assert_eq!(
        (desk.names().len(), desk.names()[0].as_str()),
        (50, "5000.txt")
    );
    assert_eq!(desk.board.first.get_untracked(), 5_000);
    // Beyond the end: the last ones.
    desk.publish(9_999);
    assert_eq!(desk.names().last().unwrap(), "9999.txt");
    assert_eq!(
        (desk.names().len(), desk.board.first.get_untracked()),
        (50, 9_950)
    );
    assert_eq!(desk.publisher.shown.len(), 50);
}

#[test]
fn a_row_keeps_its_signal_while_it_is_shown_and_another_one_never_gets_its_serial() {
    let mut desk = Desk::new();
    desk.add(200);
    desk.publish(0);
    let first = desk.serials();
    desk.publish(6);
    assert_eq!(desk.serials()[..44], first[6..]);
    desk.publish(100);
    desk.publish(0);
    assert!(desk.serials().iter().all(|serial| !first.contains(serial)));
}

#[test]
fn one_changed_row_changes_one_signal_and_not_the_list() {
    let mut desk = Desk::new();
    desk.add(3);
    desk.publish(0);
    desk.engine.handle(Millis(2), Event::Pause(FileKey(1)));
    let news = desk.publisher.look(desk.engine.snapshot(), 0);
    assert!(news.visible.is_none() && news.count.is_none());
    let changed: Vec<_> = news
        .rows
        .iter()
        .map(|(_, file)| (file.key, file.state.name()))
        .collect();
    assert_eq!(changed, [(FileKey(1), "paused")]);
    news.publish(&desk.board);
    // And nothing at all is found if nothing has happened since.
    let news = desk.publisher.look(desk.engine.snapshot(), 0);
    assert!(news.visible.is_none() && news.rows.is_empty() && news.overview.is_none());
}

#[test]
fn many_new_rows_are_made_in_several_frames_and_none_that_is_drawn_vanishes() {
    let mut desk = Desk::new();
    desk.publisher = Publisher::by_frames();
    desk.add(40);
    let mut made = Vec::new();
    for _ in 0..4 {
        desk.publish(0);
        made.push((desk.names().len(), desk.publisher.is_short()));
    }
    assert_eq!(made, [(16, true), (32, true), (40, false), (40, false)]);
    assert_eq!(desk.names()[39], "39.txt");
    assert_eq!(desk.board.count.get_untracked(), 40);
    // A list that is scrolled far is drawn at once.
    desk.add(3000);
    desk.publish(1000);
    assert_eq!((desk.names().len(), desk.publisher.is_short()), (50, false));
}

#[test]
fn rows_that_are_drawn_stay_while_many_are_made_before_them() {
    let mut desk = Desk::new();
    desk.publisher = Publisher::by_frames();
    desk.list(&["old a", "old b"]);
    desk.publish(0);
    let before = desk.serials();
    desk.add(40);
    for (count, is_short) in [(18, true), (34, true), (42, false)] {
        desk.publish(0);
        let names = desk.names();
        assert_eq!((names.len(), desk.publisher.is_short()), (count, is_short));
        assert_eq!(names[count - 2..], ["old a", "old b"]);
        assert_eq!(desk.serials()[count - 2..], before);
    }
    assert_eq!(desk.names()[0], "2.txt");
    assert_eq!(desk.names()[39], "41.txt");
}

#[test]
fn rows_behind_a_removed_one_move_up_with_their_signals() {
    let mut desk = Desk::new();
    desk.add(3);
    desk.publish(0);
    let before = desk.serials();
    desk.engine.handle(Millis(2), Event::Cancel(FileKey(0)));
    desk.engine.handle(Millis(2), Event::Remove(FileKey(0)));
    desk.publish(0);
    assert_eq!(desk.names(), ["1.txt", "2.txt"]);
    assert_eq!(desk.serials(), before[1..]);
    let row = desk.board.visible.get_untracked()[0].file.get_untracked();
    assert_eq!(row.position, 0);
}

#[test]
fn the_rows_of_the_first_html_are_adopted_and_not_drawn_again() {
    let mut desk = Desk::new();
    desk.list(&["old a", "old b"]);
    desk.publish(0);
    let serials = desk.serials();
    // The driver comes to life on the same board.
    let mut alive = Desk::new();
    alive.board = desk.board.clone();
    alive.publisher.adopt(&alive.board);
    alive.list(&["old a", "old b"]);
    let news = alive.publisher.look(alive.engine.snapshot(), 0);
    assert!(news.visible.is_none(), "the list is the same");
    for (signal, file) in &news.rows {
        assert_eq!(signal.get_untracked(), *file, "no row has changed");
    }
    news.publish(&alive.board);
    assert_eq!(alive.serials(), serials);
    alive.add(1);
    alive.publish(0);
    assert_eq!(alive.names(), ["2.txt", "old a", "old b"]);
    assert_eq!(alive.serials()[1..], serials);
}

/// Files of 10 bytes are taken, those of 20 are not.
fn strict() -> Desk {
    let mut desk = Desk::new();
    let mut config = EngineConfig::new(Sender::new("desk").unwrap());
    config.restrictions.max_file_size = Some(10);
    desk.engine = Engine::new(config, 1);
    desk
}

impl Desk {
    fn add_large(&mut self) -> FileKey {
        let key = FileKey(self.added);
        self.added += 1;
        let file = Picked {
            name: format!("{}.wav", key.0),
            size: 20,
            ..Picked::default()
        };
        self.engine.handle(Millis(1), Event::Added { key, file });
        key
    }

    fn show_only_problems(&mut self, only: bool) {
        self.publisher.show_only_problems(only);
        self.board.only_problems.set(only);
        self.publish(0);
    }
}

#[test]
fn of_ten_thousand_rows_those_that_failed_are_shown_alone_and_later_ones_come_to_them() {
    let mut desk = strict();
    desk.add(5_000);
    desk.add_large();
    desk.add(5_000);
    desk.publish(4_800);
    assert_eq!(desk.board.count.get_untracked(), 10_001);
    desk.show_only_problems(true);
    assert_eq!(desk.names(), ["5000.wav"]);
    assert_eq!(desk.board.count.get_untracked(), 1);
    let row = desk.board.visible.get_untracked()[0].file.get_untracked();
    assert_eq!(row.position, 0);
    desk.add(3);
    desk.add_large();
    desk.publish(0);
    assert_eq!(desk.names(), ["5000.wav", "10004.wav"]);
    desk.show_only_problems(false);
    assert_eq!(desk.board.count.get_untracked(), 10_005);
    assert_eq!(desk.names()[0], "0.txt");
}

#[test]
fn a_row_that_failed_stays_when_it_is_tried_again_and_all_come_back_with_the_last_one() {
    let mut desk = Desk::new();
    let mut config = EngineConfig::new(Sender::new("desk").unwrap());
    config.restrictions.max_files = Some(2);
    desk.engine = Engine::new(config, 1);
    desk.add(4);
    desk.show_only_problems(true);
    assert_eq!(desk.names(), ["2.txt", "3.txt"]);
    let key = FileKey;
    // There is room for one of them: it is no failure any more, and still looked at.
    desk.engine.handle(Millis(2), Event::Cancel(key(0)));
    desk.engine.handle(Millis(2), Event::Retry(key(2)));
    desk.publish(0);
    assert!(!desk.engine.snapshot().is_problem(key(2)));
    assert_eq!(desk.names(), ["2.txt", "3.txt"]);
    // Who looks again sees what there is now.
    desk.show_only_problems(false);
    desk.show_only_problems(true);
    assert_eq!(desk.names(), ["3.txt"]);
    desk.engine.handle(Millis(3), Event::Remove(key(3)));
    desk.publish(0);
    assert!(!desk.board.only_problems.get_untracked());
    assert!(desk.names().contains(&"1.txt".to_owned()));
}
