//! One skin over the handle. Views read signals and call the handle, and decide nothing.

mod drop_zone;
mod file_list;
mod file_row;
mod live;
pub mod parts;
mod thumbnail;
mod totals;
mod uploader;
mod virtual_list;

pub use uploader::Uploader;
