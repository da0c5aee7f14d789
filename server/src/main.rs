//! The program `hoist`.

use std::process::ExitCode;

use clap::Parser as _;
use hoist_server::{Config, RunError, config::Command, health, run, shutdown, telemetry};

#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let config = Config::parse();
    telemetry::init(&config.log);
    let done = match config.command {
        None => serve(config),
        Some(Command::Health) => {
            let addr = config.listens_on();
            health::ask(addr).map_err(|source| RunError::Health { addr, source })
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            telemetry::fatal(&error);
            ExitCode::FAILURE
        }
    }
}

fn serve(config: Config) -> Result<(), RunError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(RunError::Runtime)?;
    runtime.block_on(async {
        let plan = config.check()?;
        let listener = plan.bind().await?;
        run(listener, plan, shutdown::signal()).await
    })
}
