//! SIGINT, SIGTERM and SIGHUP: the first one asks for a clean stop, the second one for one at once.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{
    failure::{Failure, Outcome},
    output::say,
};

/// The signals that ask for a stop.
pub(crate) struct Stop([Signal; 3]);

impl Stop {
    /// From now on the signals come here.
    pub(crate) fn listen() -> Outcome<Self> {
        let listen =
            |kind| signal(kind).map_err(|error| Failure::environment(format!("can't take signals: {error}")));
        Ok(Self([
            listen(SignalKind::interrupt())?,
            listen(SignalKind::terminate())?,
            listen(SignalKind::hangup())?,
        ]))
    }

    /// Resolves when a stop is asked for.
    pub(crate) async fn asked(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
        say("stopping");
    }

    /// Does the work of a clean stop, unless another signal cuts it short.
    pub(crate) async fn or_at_once(&mut self, work: impl Future<Output = ()>) {
        tokio::select! {
            () = work => {}
            () = self.asked() => say("stopping at once"),
        }
    }
}
