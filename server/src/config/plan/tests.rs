use clap::Parser as _;

use super::*;

/// Flags without what this shell's environment may say.
fn plan(flags: &[&str]) -> Result<Plan, ConfigError> {
    let mut config = Config::parse_from(["hoist"].iter().chain(flags));
    config.leptos_site_addr = None;
    config.check()
}

#[test]
fn beyond_loopback_it_must_be_told_to() {
    let wide = plan(&["--addr", "0.0.0.0:80"]).unwrap_err().to_string();
    assert!(wide.contains("--open") && !wide.contains('\n'), "{wide}");
    let open = plan(&["--addr", "0.0.0.0:80", "--open"]).unwrap();
    assert_eq!(open.visitors, Visitors::Cookie);
    assert!(!open.checks_hosts);
    let local = plan(&["--addr", "[::1]:80"]).unwrap();
    assert_eq!(local.visitors, Visitors::Shared);
    assert!(local.checks_hosts);
}

#[test]
fn foreign_names_are_refused_wherever_no_cookie_tells_a_page_of_ours() {
    for (flags, visitors, checks_hosts) in [
        (&["--open"][..], Visitors::Shared, true),
        (&["--addr", "0.0.0.0:80", "--open"], Visitors::Cookie, false),
        (
            &["--addr", "0.0.0.0:80", "--open", "--visitors", "shared"],
            Visitors::Shared,
            true,
        ),
        (
            &["--addr", "0.0.0.0:80", "--password", "x"],
            Visitors::Shared,
            false,
        ),
        (&["--visitors", "cookie"], Visitors::Cookie, false),
        (&["--trust-header", "x-user"], Visitors::Shared, true),
        (
            &["--addr", "0.0.0.0:80", "--trust-header", "x-user"],
            Visitors::Cookie,
            false,
        ),
    ] {
        let plan = plan(flags).unwrap();
        assert_eq!(
            (plan.visitors, plan.checks_hosts),
            (visitors, checks_hosts),
            "{flags:?}"
        );
    }
}

#[test]
fn the_password_is_never_printed() {
    let plan = plan(&["--password", "correct horse"]).unwrap();
    assert!(plan.to_string().contains("sign-in=password"), "{plan}");
    assert!(!format!("{plan} {plan:?}").contains("horse"));
}

#[test]
fn a_chunk_always_fits_into_a_pack() {
    for (flags, chunk_size, max_chunk_size) in [
        (&[][..], 1 << 20, 16 << 20),
        (&["--chunk-size", "64KiB"], 64 << 10, 16 << 20),
        (&["--pack-size", "1MiB"], 512 << 10, 512 << 10),
        (&["--pack-size", "66KiB"], 64 << 10, 64 << 10),
    ] {
        let limits = plan(flags).unwrap().store.limits;
        assert_eq!(limits.chunk_size, chunk_size, "{flags:?}");
        assert_eq!(limits.max_chunk_size, max_chunk_size, "{flags:?}");
    }
    for flags in [
        &["--pack-size", "64KiB"][..],
        &["--pack-size", "1MiB", "--chunk-size", "1MiB"],
        &["--chunk-size", "100000"],
        &["--chunk-size", "32MiB"],
        &["--max-file-size", "17TiB"],
        &["--type", "foo"],
        &["--type", "image/*, .pdf"],
        &["--type", "."],
        &["--type", "image/"],
        &["--max-file-size", "1K", "--min-file-size", "2K"],
        &["--prefix", "hoist"],
        &["--prefix", "/"],
        &["--prefix", "/a/"],
        &["--prefix", "/{a}"],
        &["--classic", "server.php"],
        &["--classic", ""],
        &["--classic", "/hoist"],
        &["--classic", "/hoist/server.php"],
        &["--prefix", "/a/b", "--classic", "/a"],
        &["--password", ""],
        &["--trust-header", "x-user", "--password", "x"],
        &["--trust-header", "x-user", "--visitors", "cookie"],
        &["--allow-origin", "app.example"],
        &["--allow-origin", "https://app.example/"],
    ] {
        assert!(plan(flags).is_err(), "{flags:?}");
    }
}

#[test]
fn an_error_is_one_line_of_words() {
    for flags in [
        &["--webhook", "x"][..],
        &["--webhook", "https://app.example/hook"],
        &["--type", "foo"],
    ] {
        let words = plan(flags).unwrap_err().to_string();
        assert!(!words.contains("  ") && !words.contains('\n'), "{words}");
    }
}

#[test]
fn a_secret_that_is_none_is_not_called_missing() {
    let hook = ["--webhook", "https://app.example/hook"];
    let missing = plan(&hook);
    assert!(
        matches!(missing, Err(ConfigError::WebhookSecretMissing)),
        "{missing:?}"
    );
    let empty = plan(&[&hook[..], &["--webhook-secret", ""]].concat());
    assert!(
        matches!(empty, Err(ConfigError::WebhookSecretMissing)),
        "{empty:?}"
    );
    for secret in ["abc", "whsec_YWJj", "whsec_?"] {
        let wrong = plan(&[&hook[..], &["--webhook-secret", secret]].concat());
        assert!(
            matches!(wrong, Err(ConfigError::WebhookSecretInvalid)),
            "{secret}: {wrong:?}"
        );
    }
}

#[test]
fn the_classic_dialect_has_a_path_or_none() {
    for (flags, path) in [
        (&[][..], Some("/server.php")),
        (&["--classic", "/hoist2"], Some("/hoist2")),
        (&["--classic", "off"], None),
    ] {
        assert_eq!(plan(flags).unwrap().classic.as_deref(), path, "{flags:?}");
    }
}

#[test]
fn what_is_printed_is_what_is_done() {
    let shown = plan(&[
        "--data",
        "/d",
        "--pack-size",
        "1MiB",
        "--type",
        "image/*,.pdf",
        "--quota",
        "5GiB",
        "--max-files",
        "7",
        "--min-file-size",
        "2",
    ])
    .unwrap();
    assert_eq!(
        shown.to_string(),
        "data=/d prefix=/hoist classic=/server.php visitors=shared sign-in=none chunk-size=512KiB pack-size=1MiB \
         max-file-size=16TiB keep-free=256MiB durability=power max-unfinished=100000 keep-unfinished=7d delete-grace=30s body-idle=30s \
         header-timeout=30s max-connections=16384 min-file-size=2B quota=5GiB max-files=7 types=image/*,.pdf"
    );
}

/// All of them are connected before one is accepted: with a short queue the others would wait or be reset.
#[tokio::test]
async fn six_hundred_may_come_at_once() {
    let listener = plan(&["--addr", "127.0.0.1:0"]).unwrap().bind().unwrap();
    let addr = listener.local_addr().unwrap();
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..600 {
        all.spawn(tokio::net::TcpStream::connect(addr));
    }
    let long = std::time::Duration::from_secs(20);
    let connected = tokio::time::timeout(long, all.join_all()).await.unwrap();
    assert!(connected.iter().all(Result::is_ok));
}

#[test]
fn the_site_never_has_the_data_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let with = |site: &str, data: &str| plan(&["--site", &path(site), "--data", &path(data)]);
    std::fs::create_dir_all(path("site/deep")).unwrap();
    std::os::unix::fs::symlink(path("site"), path("link")).unwrap();
    for (site, data) in [
        ("", "data"),
        ("site", "site"),
        ("site", "site/deep/data"),
        ("link", "site/data"),
        ("site", "link/data"),
    ] {
        let refused = with(site, data);
        assert!(
            matches!(refused, Err(ConfigError::Site { .. })),
            "{site} {data} {refused:?}"
        );
    }
    for (site, data) in [
        ("site", "data"),
        ("site", "site2/data"),
        ("site/deep", "site/data"),
        ("none", "data"),
    ] {
        assert!(with(site, data).is_ok(), "{site} {data}");
    }
}
