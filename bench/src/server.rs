//! Starts a server of ours on a thread and a port of its own.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::mpsc;

use tokio::net::TcpListener;

/// Starts `serve` on a free port of loopback; it ends with the process.
pub(crate) fn start<F, S>(name: &'static str, serve: S) -> Result<SocketAddr, String>
where
    S: FnOnce(TcpListener) -> F + Send + 'static,
    F: Future<Output = ()>,
{
    let (tell, told) = mpsc::channel();
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return drop(tell.send(Err(error.to_string()))),
        };
        runtime.block_on(async move {
            match TcpListener::bind("127.0.0.1:0").await {
                Ok(listener) => {
                    let address = listener.local_addr().map_err(|error| error.to_string());
                    drop(tell.send(address));
                    serve(listener).await;
                }
                Err(error) => drop(tell.send(Err(error.to_string()))),
            }
        });
    });
    thread.map_err(|error| format!("cannot start a thread for the {name}: {error}"))?;
    let address = told.recv().map_err(|_| format!("the {name} ended at once"))?;
    address.map_err(|error| format!("cannot start the {name}: {error}"))
}
