//! Scripts: lines in, actions and rows out. Each test is one story.

mod language;

mod cancel;
mod classes;
mod flow;
mod hold;
mod resume;

use language::check;
