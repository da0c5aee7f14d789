//! How files come in: from an input, from a drop, from a folder.

mod drop;
mod input;

use gloo_file::File;
use hoist_engine::Picked;
use js_sys::{Array, Reflect};
use wasm_bindgen::{JsCast, JsValue};

use crate::{browser, driver::Driver};

pub(crate) use drop::take_drops;
pub(crate) use input::take_input;

/// After this long the page gets its turn. Two of them and a frame may pass before a timer of the page does.
const TURN_MS: f64 = 8.0;
/// Files between two looks at the clock: what a browser is asked for each can take a quarter of a millisecond.
const AT_ONCE: usize = 16;
/// As many are added at one time, in however many turns they were asked for: they are announced, read and sent together, and
/// each group costs the same, however small.
const TOGETHER: usize = 128;
/// Nor do those that are described wait for much longer than this, should the browser take its time for each.
const LONGEST_MS: f64 = 250.0;

/// What the browser tells of a file; `folder` if a walk knows it better.
pub(crate) fn describe(file: &web_sys::File, folder: Option<&str>) -> Picked {
    // Not in web-sys; set only by a folder picker.
    let relative = || {
        Reflect::get(file, &JsValue::from_str("webkitRelativePath"))
            .ok()
            .and_then(|path| path.as_string())
            .unwrap_or_default()
    };
    let path = match folder {
        Some(folder) => folder.to_owned(),
        None => folder_of(&relative()).to_owned(),
    };
    let media_type = file.type_();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "sizes and times of a browser are whole numbers below 2^53"
    )]
    Picked {
        name: file.name(),
        path,
        size: file.size() as u64,
        last_modified: Some(file.last_modified() as i64),
        media_type: (!media_type.is_empty()).then_some(media_type),
        is_directory: false,
    }
}

/// The folder of a path, without slashes at its ends.
pub(crate) fn folder_of(path: &str) -> &str {
    path.trim_start_matches('/')
        .rsplit_once('/')
        .map_or("", |(folder, _)| folder)
}

/// Adds files in slices, so that the page goes on.
pub(crate) fn add_files(driver: &std::rc::Rc<Driver>, files: Vec<web_sys::File>) {
    driver.begin_picking();
    let mut files = Files {
        left: files.into_iter(),
        described: Vec::new(),
        together: AT_ONCE,
        added_ms: browser::now_ms(),
    };
    files.add_for_a_turn(driver);
    if files.left.len() == 0 {
        driver.end_picking(0);
        return;
    }
    let me = std::rc::Rc::downgrade(driver);
    browser::spawn(async move {
        while files.left.len() > 0 {
            browser::sleep(0).await;
            let Some(driver) = me.upgrade() else { return };
            files.add_for_a_turn(&driver);
        }
        if let Some(driver) = me.upgrade() {
            driver.end_picking(0);
        }
    });
}

/// Files that are to be added.
struct Files {
    left: std::vec::IntoIter<web_sys::File>,
    /// Of those before, the ones that wait for more.
    described: Vec<(Picked, Option<File>)>,
    /// How many are added at one time: at first few, so that something is seen at once.
    together: usize,
    /// When that was done last.
    added_ms: f64,
}

impl Files {
    fn add_for_a_turn(&mut self, driver: &Driver) {
        let begun = browser::now_ms();
        let mut now = begun;
        while self.left.len() > 0 && now - begun < TURN_MS {
            let next = self.left.by_ref().take(AT_ONCE);
            self.described
                .extend(next.map(|file| (describe(&file, None), Some(File::from(file)))));
            now = browser::now_ms();
            let is_enough =
                self.described.len() >= self.together || now - self.added_ms > LONGEST_MS;
            if is_enough || self.left.len() == 0 {
                driver.add(std::mem::take(&mut self.described));
                (self.together, self.added_ms) = (TOGETHER, now);
            }
        }
    }
}

/// A browser's list as one of ours; what is no file is left out.
fn to_files(list: &JsValue) -> Vec<web_sys::File> {
    Array::from(list)
        .iter()
        .filter_map(|file| file.dyn_into::<web_sys::File>().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::folder_of;

    #[test]
    fn the_folder_of_a_path_has_no_slashes_at_its_ends() {
        assert_eq!(folder_of(""), "");
        assert_eq!(folder_of("a.txt"), "");
        assert_eq!(folder_of("/a.txt"), "");
        assert_eq!(folder_of("/a/b/c.txt"), "a/b");
        assert_eq!(folder_of("صور/سنة/x"), "صور/سنة");
    }
}
