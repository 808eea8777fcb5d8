//! Serving REST: a connection that asks for nothing is closed, and only so many are served at once, so that nobody without a
//! token can use up the open files.
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use crate::running::until;

/// How long a connection may take to send a whole head, also before the first and after each answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// Connections that are served at once; others wait for one of them to end. Where a process may open 1024 files, as is usual, as
/// many are left for sidecars and the database.
pub(crate) const MOST: usize = 512;
/// How long to wait where no connection can be taken (too many files are open, say).
const PAUSE: Duration = Duration::from_secs(1);

/// Serves until it is to stop; requests that are under way then are finished.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    stop: watch::Receiver<bool>,
    patience: Duration,
    most: usize,
) -> std::io::Result<()> {
    let places = Arc::new(Semaphore::new(most));
    let mut connections = JoinSet::new();
    let mut stopped = pin!(until(stop.clone()));
    loop {
        tokio::select! {
            () = &mut stopped => break,
            Some(_) = connections.join_next() => {}
            accepted = accept(&listener, &places) => match accepted {
                Ok((stream, place)) => {
                    let served = connection(stream, router.clone(), stop.clone(), patience);
                    connections.spawn(async move {
                        served.await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection cannot be taken");
                    tokio::time::sleep(PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
    Ok(())
}

/// Takes a connection once there is a place for it.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, place))
}

async fn connection(stream: TcpStream, router: Router, stop: watch::Receiver<bool>, patience: Duration) {
    // Small answers, asked for one after the other: Nagle's algorithm would only hold them back.
    drop(stream.set_nodelay(true));
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(patience);
    let served = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut served = pin!(served);
    // How a connection ends is its client's affair.
    tokio::select! {
        done = &mut served => drop(done),
        () = until(stop) => {
            served.as_mut().graceful_shutdown();
            drop(served.await);
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// Sends `first`, and gives what comes until the other side closes.
    async fn until_closed(address: std::net::SocketAddr, first: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(first.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        tokio::time::timeout(Duration::from_secs(10), read).await.expect("it is let go").unwrap();
        String::from_utf8(answer).unwrap()
    }

    #[tokio::test]
    async fn who_asks_for_nothing_is_let_go() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let slow = || async {
            tokio::time::sleep(Duration::from_millis(600)).await;
            "done"
        };
        let router = Router::new().route("/", get(slow));
        let stop = watch::Sender::new(false);
        let server =
            tokio::spawn(serve(listener, router, stop.subscribe(), Duration::from_millis(200), MOST));
        // Nothing, half a head, and a whole request with nothing after it: its answer may take longer.
        let table = [
            ("", false),
            ("GET / HTTP/1.1\r\nhost: mesh\r\n", false),
            ("GET / HTTP/1.1\r\nhost: mesh\r\n\r\n", true),
        ];
        for (sent, answered) in table {
            let answer = until_closed(address, sent).await;
            assert_eq!(answer.ends_with("done"), answered, "{sent:?}: {answer:?}");
        }
        // A request that is under way at the end is finished.
        let under_way = tokio::spawn(until_closed(address, "GET / HTTP/1.1\r\nhost: mesh\r\n\r\n"));
        tokio::time::sleep(Duration::from_millis(100)).await;
        stop.send_replace(true);
        assert!(under_way.await.unwrap().ends_with("done"));
        server.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn only_so_many_are_served_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(|| async { "done" }));
        let stop = watch::Sender::new(false);
        let patience = Duration::from_millis(500);
        let server = tokio::spawn(serve(listener, router, stop.subscribe(), patience, 2));
        let idle = [TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap()];
        let begun = std::time::Instant::now();
        let answer = until_closed(address, "GET / HTTP/1.1\r\nhost: mesh\r\n\r\n").await;
        assert!(answer.ends_with("done"), "{answer:?}");
        assert!(begun.elapsed() > patience * 3 / 2, "it is let in when another is let go, and kept as long");
        drop(idle);
        stop.send_replace(true);
        server.await.unwrap().unwrap();
    }
}
