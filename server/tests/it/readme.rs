//! The table of flags in the README is the flags.

use std::fmt::Write as _;

use clap::CommandFactory as _;
use hoist_server::Config;

use crate::program::root;

const BEGIN: &str = "<!-- flags: written by the test in server/tests/it/readme.rs -->\n";
const END: &str = "<!-- end of flags -->";

fn table() -> String {
    let mut table = String::from(
        "| flag | variable | if not given | what it does |\n| --- | --- | --- | --- |\n",
    );
    for flag in Config::command().get_arguments() {
        let Some(long) = flag.get_long().filter(|_| !flag.is_hide_set()) else {
            continue;
        };
        let code = |text: &str| format!("`{text}`");
        let variable = flag
            .get_env()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let defaults: Vec<_> = flag
            .get_default_values()
            .iter()
            .filter_map(|value| value.to_str())
            .filter(|value| {
                flag.get_num_args().is_none_or(|n| n.takes_values()) && !value.is_empty()
            })
            .map(code)
            .collect();
        let help = flag
            .get_help()
            .unwrap_or_default()
            .to_string()
            .replace('|', "\\|");
        writeln!(
            table,
            "| `--{long}` | `{variable}` | {} | {help} |",
            defaults.join(", ")
        )
        .unwrap();
    }
    table
}

#[test]
fn the_table_of_flags_in_the_readme_is_the_flags() {
    let file = root().join("README.md");
    let readme = std::fs::read_to_string(&file).unwrap();
    let (before, rest) = readme.split_once(BEGIN).unwrap();
    let (found, after) = rest.split_once(END).unwrap();
    let table = table();
    assert!(
        table.contains("| `--password` | `HOIST_PASSWORD` |"),
        "{table}"
    );
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&file, format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
        return;
    }
    assert_eq!(
        found, table,
        "the flags have changed: UPDATE_EXPECT=1 cargo test -p hoist-server --test it readme"
    );
}
