//! What a page is rendered with.

use hoist_protocol::{ListResponse, route::DEFAULT_PREFIX};
use serde::{Deserialize, Serialize};

/// What a page is rendered with: plain data, the same on the server and in the browser.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PageData {
    /// Where the upload protocol is mounted.
    pub endpoint: String,
    /// What this visitor has.
    pub list: ListResponse,
}

impl Default for PageData {
    fn default() -> Self {
        Self {
            endpoint: DEFAULT_PREFIX.to_owned(),
            list: ListResponse::default(),
        }
    }
}
