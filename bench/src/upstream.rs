//! The upstream: a fixed chat completion, or a fixed stream of chunks, over connections that stay open.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream;
use http_body_util::{BodyExt, Either, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// Chunks of one stream.
pub(crate) const CHUNKS: usize = 60;

/// Time between two chunks of a stream.
pub(crate) const PACE: Duration = Duration::from_millis(5);

const COMPLETION: &str = r#"{"id":"chatcmpl-bench","object":"chat.completion","created":1760000000,"model":"gpt-4o","choices":[{"index":0,"message":{"role":"assistant","content":"The notes agree on three points: the export is slower since the spring, the supplier delivers at the end of the month, and the second chapter can be shortened. The table adds up."},"finish_reason":"stop"}],"usage":{"prompt_tokens":180,"completion_tokens":38,"total_tokens":218}}"#;

/// Words of the streamed answer, one a chunk.
const WORDS: [&str; 12] = [
    "The ", "notes ", "agree ", "on ", "three ", "points, ", "and ", "the ", "table ", "adds ", "up. ",
    "Next: ",
];

type Body = Either<Full<Bytes>, http_body_util::combinators::BoxBody<Bytes, Infallible>>;

/// Serves until the process ends.
pub(crate) async fn serve(listener: TcpListener) {
    while let Ok((socket, _)) = listener.accept().await {
        // Small answers must not wait for an acknowledgement (Nagle).
        let _ = socket.set_nodelay(true);
        tokio::spawn(async move {
            // A client that goes away ends its connection; there is nothing to do about it.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(socket), service_fn(answer)).await;
        });
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Body>, hyper::Error> {
    let body = request.into_body().collect().await?.to_bytes();
    let asks_for_stream = body.windows(13).any(|window| window == b"\"stream\":true");
    if !asks_for_stream {
        let mut response = Response::new(Either::Left(Full::new(Bytes::from_static(COMPLETION.as_bytes()))));
        response
            .headers_mut()
            .insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/json"));
        return Ok(response);
    }
    // The chunks leave at fixed times, whatever the reader does: what arrives late was held back on its way.
    let start = tokio::time::Instant::now();
    let chunks = stream::iter(0..=CHUNKS).then(move |index| async move {
        let steps = u32::try_from(index).unwrap_or(u32::MAX);
        // A timer would keep the first one until its next tick, up to a millisecond.
        if index > 0 {
            tokio::time::sleep_until(start + PACE * steps).await;
        }
        Ok::<_, Infallible>(Frame::data(chunk(index)))
    });
    let mut response = Response::new(Either::Right(BodyExt::boxed(StreamBody::new(chunks))));
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("text/event-stream"));
    Ok(response)
}

fn chunk(index: usize) -> Bytes {
    if index == CHUNKS {
        return Bytes::from_static(b"data: [DONE]\n\n");
    }
    let word = WORDS.get(index % WORDS.len()).copied().unwrap_or_default();
    Bytes::from(format!(
        "data: {{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1760000000,\"model\":\"gpt-4o\",\
         \"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{word}\"}},\"finish_reason\":null}}]}}\n\n"
    ))
}
