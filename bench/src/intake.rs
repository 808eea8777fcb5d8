//! Takes in decision records as the control plane does, and acknowledges them: sending them is part of the cost.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{BufMut, Bytes, BytesMut};
use futures::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use mesh_audit::v1::{ReportRequest, ReportResponse};
use prost::Message;
use tokio::net::TcpListener;

/// A gRPC message is preceded by a flag and its length (gRPC over HTTP/2, "Length-Prefixed-Message").
const PREFIX: usize = 5;

static RECEIVED: AtomicU64 = AtomicU64::new(0);

/// Records that have arrived.
pub(crate) fn received() -> u64 {
    RECEIVED.load(Ordering::Relaxed)
}

/// Serves until the process ends.
pub(crate) async fn serve(listener: TcpListener) {
    while let Ok((socket, _)) = listener.accept().await {
        tokio::spawn(async move {
            let connection = http2::Builder::new(TokioExecutor::new());
            // Envoy closes it when the bench is over.
            let _ = connection.serve_connection(TokioIo::new(socket), service_fn(report)).await;
        });
    }
}

type Frames = StreamBody<stream::Iter<std::vec::IntoIter<Result<Frame<Bytes>, Infallible>>>>;

async fn report(request: Request<Incoming>) -> Result<Response<Frames>, hyper::Error> {
    let body = request.into_body().collect().await?.to_bytes();
    let decoded = body.get(PREFIX..).map(ReportRequest::decode);
    let mut status = HeaderMap::new();
    let mut frames = Vec::new();
    if let Some(Ok(report)) = decoded {
        let count = report.records.len() as u64;
        RECEIVED.fetch_add(count, Ordering::Relaxed);
        let returned = report.returns.len() as u64;
        let answer = ReportResponse { acknowledged: report.first_sequence + count - 1, returned };
        frames.push(Ok(Frame::data(prefixed(&answer.encode_to_vec()))));
        status.insert("grpc-status", HeaderValue::from_static("0"));
    } else {
        // INVALID_ARGUMENT.
        status.insert("grpc-status", HeaderValue::from_static("3"));
    }
    frames.push(Ok(Frame::trailers(status)));
    let mut response = Response::new(StreamBody::new(stream::iter(frames)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    Ok(response)
}

fn prefixed(message: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(PREFIX + message.len());
    bytes.put_u8(0);
    bytes.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    bytes.put_slice(message);
    bytes.freeze()
}
