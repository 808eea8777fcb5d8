//! Connections of sidecars. One that has shown no token is let go before long, and only so many of these are there at once, so that
//! nobody without a token can use up the open files. What has shown it stays as long as its sidecar wants.
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use mesh_control_api::Stranger;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::Sleep;
use tonic::transport::server::Connected;

/// Connections without a token that are there at once; others wait.
pub(crate) const MOST: usize = 256;
/// How long to wait where no connection can be taken (too many files are open, say).
const PAUSE: Duration = Duration::from_secs(1);

/// Takes connections; each has `patience` to show a token.
pub(crate) fn incoming(
    listener: TcpListener,
    patience: Duration,
    most: usize,
) -> impl Stream<Item = io::Result<Connection>> {
    let places = Arc::new(Semaphore::new(most));
    futures::stream::unfold((listener, places), move |(listener, places)| async move {
        let connection = next(&listener, &places, patience).await;
        Some((connection, (listener, places)))
    })
}

async fn next(listener: &TcpListener, places: &Arc<Semaphore>, patience: Duration) -> io::Result<Connection> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Small answers, asked for one after the other: Nagle's algorithm would only hold them back.
                drop(stream.set_nodelay(true));
                let stranger = Stranger::new(stream.connect_info(), place);
                return Ok(Connection { stream, stranger, patience: Box::pin(tokio::time::sleep(patience)) });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection of a sidecar cannot be taken");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// A connection that ends when its time is up and no call on it has shown a token.
pub(crate) struct Connection {
    stream: TcpStream,
    stranger: Stranger,
    patience: Pin<Box<Sleep>>,
}

impl Connected for Connection {
    type ConnectInfo = Stranger;

    fn connect_info(&self) -> Stranger {
        self.stranger.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.stranger.is_known() && self.patience.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;
    use mesh_control_api::{SidecarAuth, Token};
    use tokio::io::AsyncReadExt;
    use tonic::service::Interceptor;

    use super::*;

    const SOON: Duration = Duration::from_millis(100);

    /// A call on that connection which shows `token`.
    fn call(connection: &Connection, token: &str) -> bool {
        let mut request = tonic::Request::new(());
        request.extensions_mut().insert(connection.connect_info());
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        let passed = SidecarAuth::new(Token::new("right")).call(request);
        passed.is_ok_and(|request| request.remote_addr().is_some())
    }

    #[tokio::test]
    async fn who_shows_no_token_is_let_go_and_has_one_of_few_places() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut clients = Vec::new();
        for _ in 0..4 {
            clients.push(TcpStream::connect(address).await.unwrap());
        }
        let mut incoming = std::pin::pin!(incoming(listener, SOON, 2));
        let mut silent = incoming.next().await.unwrap().unwrap();
        let mut sidecar = incoming.next().await.unwrap().unwrap();
        assert!(tokio::time::timeout(SOON * 2, incoming.next()).await.is_err(), "both places are taken");

        assert!(!call(&sidecar, "wrong") && !sidecar.stranger.is_known());
        assert!(call(&sidecar, "right") && sidecar.stranger.is_known());
        drop(incoming.next().await.unwrap().unwrap());
        let said = silent.read_u8().await.unwrap_err();
        assert_eq!(said.kind(), io::ErrorKind::TimedOut);
        drop(silent);
        drop(incoming.next().await.unwrap().unwrap());
        // What has shown it may be silent for as long as it wants.
        assert!(tokio::time::timeout(SOON * 3, sidecar.read_u8()).await.is_err());
        drop(clients);
    }
}
