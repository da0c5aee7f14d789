//! The program `hoist`.

use std::process::ExitCode;

use hoist_server::{Config, RunError, config::Command, health, inspect, run, shutdown, telemetry};

#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    keep_freed_memory();
    let config = Config::read();
    telemetry::init(&config.log);
    let done = match config.command {
        None => serve(config),
        Some(Command::Health) => {
            let addr = config.listens_on();
            health::ask(addr).map_err(|source| RunError::Health { addr, source })
        }
        Some(Command::Verify) => wait(inspect::verify(&config.data)),
        Some(Command::Sweep { dry_run: true }) => wait(inspect::would_sweep(&config.data)),
        Some(Command::Sweep { dry_run: false }) => wait(inspect::sweep(&config.data)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            telemetry::fatal(&error);
            ExitCode::FAILURE
        }
    }
}

fn wait(work: impl Future<Output = Result<(), RunError>>) -> Result<(), RunError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(RunError::Runtime)?;
    runtime.block_on(work)
}

/// glibc gives freed memory back to the system at once above a limit, and each connection's buffers then
/// are new pages again and again: a third of all page faults and 15 % of the time of a large file. The limit
/// is twice the largest block that was ever freed, so one is. At most 8 MiB stay per arena.
fn keep_freed_memory() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(4 << 20)));
}

fn serve(config: Config) -> Result<(), RunError> {
    wait(async {
        let plan = config.check()?;
        let listener = plan.bind()?;
        run(listener, plan, shutdown::signal()).await
    })
}
