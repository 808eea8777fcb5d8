//! Serving REST: whoever connects and asks for nothing is let go, so that nobody without a token can use up the open files.
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::running::until;

/// How long a connection may take to send a whole head, also before the first and after each answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// How long to wait where no connection can be taken (too many files are open, say).
const PAUSE: Duration = Duration::from_secs(1);

/// Serves until it is to stop; requests that are under way then are finished.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    stop: watch::Receiver<bool>,
    patience: Duration,
) -> std::io::Result<()> {
    let mut connections = JoinSet::new();
    let mut stopped = pin!(until(stop.clone()));
    loop {
        tokio::select! {
            () = &mut stopped => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, router.clone(), stop.clone(), patience));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection can not be taken");
                    tokio::time::sleep(PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
    Ok(())
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
        let server = tokio::spawn(serve(listener, router, stop.subscribe(), Duration::from_millis(200)));
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
}
