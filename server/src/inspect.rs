//! `hoist verify` and `hoist sweep`: what lies in the data folder, compared with what the catalog says.

use std::path::Path;

use hoist_axum::Clock;
use hoist_store::{Finding, Inspector, Leftover, Store, StoreConfig, StoreError};

use crate::RunError;

/// Reads every finished file and says what is not as it was. A server may run on the folder.
///
/// # Errors
///
/// [`RunError::Damaged`] if a file is missing or has other bytes, [`RunError::Store`] if the folder
/// cannot be read.
#[expect(clippy::print_stdout, reason = "a person asked for it and reads this")]
pub async fn verify(folder: &Path) -> Result<(), RunError> {
    let inspector = Inspector::open(folder).await.map_err(failed(folder))?;
    let verified = inspector.verify(|finding| println!("{}", words(&finding)));
    let verified = verified.await.map_err(failed(folder))?;
    println!(
        "{} files, {} bytes read: {} damaged, {} that nobody knows",
        verified.files, verified.bytes, verified.damaged, verified.unknown
    );
    match verified.damaged {
        0 => Ok(()),
        damaged => Err(RunError::Damaged(damaged)),
    }
}

fn failed(folder: &Path) -> impl FnOnce(StoreError) -> RunError {
    let folder = folder.to_owned();
    move |source| RunError::Store { folder, source }
}

fn words(finding: &Finding) -> String {
    match finding {
        Finding::Changed { place } => format!("changed  {place}"),
        Finding::Missing { place } => format!("missing  {place}"),
        Finding::Unknown { place } => format!("unknown  {place}"),
        other => format!("{other:?}"),
    }
}

/// Says what a sweep would remove now. A server may run on the folder.
///
/// # Errors
///
/// [`RunError::Store`] if the folder cannot be read.
#[expect(clippy::print_stdout, reason = "a person asked for it and reads this")]
pub async fn would_sweep(folder: &Path) -> Result<(), RunError> {
    let inspector = Inspector::open(folder).await.map_err(failed(folder))?;
    let mut count = 0;
    let found = |leftover: Leftover| {
        count += 1;
        match leftover {
            Leftover::Expired { id, name } => println!("expired  {id} {name}"),
            Leftover::Deleted { place } => println!("deleted  {place}"),
            Leftover::Orphan { id } => println!("orphan   {id}"),
            other => println!("{other:?}"),
        }
    };
    let looked = inspector.leftovers(Clock::system().now(), found);
    looked.await.map_err(failed(folder))?;
    println!("{count} would go");
    Ok(())
}

/// Removes what has expired. The folder must have no server: that one sweeps by itself.
///
/// # Errors
///
/// [`RunError::Store`] if the folder is in use, or something cannot be removed.
#[expect(clippy::print_stdout, reason = "a person asked for it and reads this")]
pub async fn sweep(folder: &Path) -> Result<(), RunError> {
    let sweep = async {
        let now = Clock::system().now();
        let store = Store::open(folder, StoreConfig::default(), now).await?;
        let report = store.sweep(now).await?;
        store.close().await?;
        Ok::<_, StoreError>(report)
    };
    let report = sweep.await.map_err(failed(folder))?;
    println!(
        "{} expired and {} deleted are gone",
        report.expired, report.deleted
    );
    Ok(())
}
