//! The listener: one task a connection, keep-alive, no delay on small writes (streams must arrive piece by piece).

use std::{future::Future, io, pin::pin, sync::Arc};

use http_body_util::BodyExt;
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

use crate::{
    call::Call,
    reply::{Reply, Response},
    route::{State, answer},
};

/// Serves until the listener breaks. See [`serve_until`] for a version that can be stopped.
///
/// # Errors
/// When the listener itself fails; a broken connection ends only itself.
pub async fn serve(listener: TcpListener) -> io::Result<()> {
    serve_until(listener, std::future::pending()).await
}

/// Serves until `shutdown` resolves; open connections are closed after the answer they are in.
///
/// # Errors
/// When the listener itself fails; a broken connection ends only itself.
pub async fn serve_until(listener: TcpListener, shutdown: impl Future<Output = ()>) -> io::Result<()> {
    let state = Arc::new(State::default());
    let (stop, stopped) = watch::channel(());
    let mut shutdown = pin!(shutdown);
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                // A client that left before it was accepted, or no file descriptors for a moment.
                Err(error) if is_transient(&error) => continue,
                Err(error) => return Err(error),
            },
            () = &mut shutdown => break,
        };
        tokio::spawn(connection(stream, Arc::clone(&state), stopped.clone()));
    }
    drop(stop);
    Ok(())
}

fn is_transient(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

async fn connection(stream: TcpStream, state: Arc<State>, mut stopped: watch::Receiver<()>) {
    // Without it the kernel would gather small events, and a test of streaming would measure the kernel.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let state = Arc::clone(&state);
        async move { respond(request, &state).await }
    });
    let mut connection =
        pin!(http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service));
    // Either side may break off at any time: a mock has nobody to tell.
    tokio::select! {
        _ = connection.as_mut() => {}
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

/// The answer. An error breaks the connection off before any of it.
async fn respond(request: Request<Incoming>, state: &State) -> io::Result<Response> {
    let (parts, body) = request.into_parts();
    match body.collect().await {
        Ok(body) => {
            let call = Call::new(parts, body.to_bytes());
            let reply = answer(&call, state);
            match call.knobs.abort_after {
                Some(0) => Err(io::Error::from(io::ErrorKind::ConnectionAborted)),
                _ => Ok(reply.into_response(&call.knobs)),
            }
        }
        Err(_) => Ok(Reply::text(400, "the request body broke off").into_response(&Default::default())),
    }
}
