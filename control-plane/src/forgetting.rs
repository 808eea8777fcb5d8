//! What is old is forgotten: decision records that were kept for long enough, and filters that are no more.
//!
//! Only an operator who bounds how long records are kept has anything forgotten. Which filters run is noted all the same:
//! another control plane on the same database may forget.
use std::time::{Duration, Instant};

use mesh_control_core::{Clock, Decisions, ForgetError, Timestamp};
use mesh_xds::Ads;

/// How often it is looked, at most and at least.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(3600));

/// Forgets now and then.
pub(crate) async fn forget(decisions: Decisions, keep: Option<Duration>, ads: Ads) {
    let pause = keep.map_or(PAUSE.1, |keep| (keep / 24).clamp(PAUSE.0, PAUSE.1));
    // After a start the filters have yet to connect: one that is missing now may be there at the next check.
    let mut first = true;
    let (started, mut clock) = (Instant::now(), Clock::default());
    loop {
        let noted = decisions.alive(&connected(&ads), Timestamp::now()).await;
        if let Err(error) = &noted {
            tracing::error!(%error, "which filters run cannot be noted");
        }
        if let Some(keep) = keep {
            let forgotten = decisions.forget(keep, &mut clock, Timestamp::now(), started.elapsed()).await;
            match &forgotten {
                Ok(0) => {}
                Ok(records) => tracing::info!(records, "old decision records are deleted"),
                Err(ForgetError::Clock(error)) => {
                    tracing::error!(%error, "old decision records are not deleted");
                }
                Err(ForgetError::Store(error)) => {
                    tracing::error!(%error, "old decision records cannot be deleted; the database grows")
                }
            }
            if noted.is_ok() && forgotten.is_ok() && !first {
                match decisions.forget_vms(keep, Timestamp::now()).await {
                    Ok(0) => {}
                    Ok(filters) => tracing::info!(filters, "filters that are no more are forgotten"),
                    Err(error) => tracing::error!(%error, "filters that are no more cannot be forgotten"),
                }
            }
        }
        first = false;
        tokio::time::sleep(pause).await;
    }
}

/// The ids of the VMs of the filters that are subscribed, as in the records that they report.
fn connected(ads: &Ads) -> Vec<String> {
    let filters = ads.clients().into_iter().filter(|client| !client.instance.is_empty());
    filters.map(|client| client.instance).collect()
}
