//! The program `hoist`.

use std::process::ExitCode;

use clap::Parser as _;
use hoist_server::{Config, RunError, run, shutdown, telemetry};

fn main() -> ExitCode {
    let config = Config::parse();
    telemetry::init(&config.log);
    match serve(config) {
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
