//! Who may call: a bearer token for people and their tools, another one for sidecars.
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;
use tokio::sync::OwnedSemaphorePermit;
use tonic::Status;
use tonic::service::Interceptor;
use tonic::transport::server::TcpConnectInfo;

use crate::error::ApiError;

/// A secret that callers show as `Authorization: Bearer …`.
#[derive(Clone)]
pub struct Token(Arc<str>);

impl Token {
    /// The token of this text.
    pub fn new(secret: impl Into<Arc<str>>) -> Self {
        Token(secret.into())
    }

    /// The text, for the one who writes it to its file.
    pub fn secret(&self) -> &str {
        &self.0
    }

    /// Whether an `authorization` value shows this token. Takes the same time wherever the first difference is; the scheme's
    /// case does not matter (RFC 9110, section 11.1).
    fn is_shown_by(&self, authorization: Option<&[u8]>) -> bool {
        let Some((scheme, shown)) = authorization.and_then(|value| value.split_at_checked(7)) else {
            return false;
        };
        // An empty secret would be shown by everybody.
        scheme.eq_ignore_ascii_case(b"bearer ")
            && !self.0.is_empty()
            && bool::from(shown.ct_eq(self.0.as_bytes()))
    }
}

/// Never the secret.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

fn authorization(headers: &HeaderMap) -> Option<&[u8]> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Some(value.as_bytes()),
        // Two are as good as none: who is asking?
        _ => None,
    }
}

/// Lets a REST request through only with the administrator's token.
pub(crate) async fn require_admin(State(token): State<Token>, request: Request, next: Next) -> Response {
    if token.is_shown_by(authorization(request.headers())) {
        next.run(request).await
    } else {
        ApiError::unauthenticated().into_response()
    }
}

/// A connection on which no call has shown the sidecars' token yet; it has one of few places until then.
#[derive(Clone, Debug)]
pub struct Stranger {
    address: TcpConnectInfo,
    place: Arc<Mutex<Option<OwnedSemaphorePermit>>>,
}

impl Stranger {
    /// A connection from that address.
    pub fn new(address: TcpConnectInfo, place: OwnedSemaphorePermit) -> Self {
        Stranger { address, place: Arc::new(Mutex::new(Some(place))) }
    }

    /// Whether a call has shown the token.
    pub fn is_known(&self) -> bool {
        self.place.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// A call has shown it: the place is another's.
    fn is_known_now(&self) {
        drop(self.place.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// Lets a gRPC call through only with the sidecars' token: an interceptor for the whole gRPC server.
#[derive(Clone, Debug)]
pub struct SidecarAuth {
    token: Token,
    refused: Arc<Mutex<Refused>>,
}

/// Calls that were refused, and not logged yet.
#[derive(Debug, Default)]
struct Refused {
    calls: u64,
    logged: Option<Instant>,
}

/// A sidecar with a wrong token calls again each second.
const LOG_AGAIN: Duration = Duration::from_secs(60);

impl SidecarAuth {
    /// An interceptor that asks for `token`.
    pub fn new(token: Token) -> Self {
        SidecarAuth { token, refused: Arc::default() }
    }

    /// Says so in the log, once a minute. What was shown is never logged.
    fn note_refused(&self, from: Option<SocketAddr>) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.calls += 1;
        if refused.logged.is_none_or(|at| at.elapsed() >= LOG_AGAIN) {
            let from = from.map(|address| address.ip().to_string()).unwrap_or_default();
            tracing::warn!(
                from,
                calls = refused.calls,
                "calls of a sidecar were refused: their token is missing or wrong; it needs what sidecar-token in the data directory holds"
            );
            *refused = Refused { calls: 0, logged: Some(Instant::now()) };
        }
    }
}

impl Interceptor for SidecarAuth {
    fn call(&mut self, mut request: tonic::Request<()>) -> Result<tonic::Request<()>, Status> {
        let stranger = request.extensions().get::<Stranger>().cloned();
        if let Some(stranger) = &stranger {
            request.extensions_mut().insert(stranger.address.clone());
        }
        let shown = request.metadata().get("authorization").map(|value| value.as_bytes());
        if self.token.is_shown_by(shown) {
            stranger.iter().for_each(Stranger::is_known_now);
            Ok(request)
        } else {
            self.note_refused(request.remote_addr());
            Err(Status::unauthenticated(
                "the sidecar token is missing or wrong: send `authorization: Bearer <token>`",
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_sidecars_are_logged_once_in_a_while() {
        let auth = SidecarAuth::new(Token::new("s3cret"));
        for _ in 0..3 {
            let refused = auth.clone().call(tonic::Request::new(())).unwrap_err();
            assert_eq!(refused.code(), tonic::Code::Unauthenticated);
        }
        let refused = auth.refused.lock().unwrap();
        assert_eq!((refused.calls, refused.logged.is_some()), (2, true), "the first was logged");
    }

    #[test]
    fn only_the_whole_token_opens() {
        let token = Token::new("s3cret");
        let table: [(&[u8], bool); 10] = [
            (b"Bearer s3cret", true),
            (b"bearer s3cret", true),
            (b"Bearer s3cre", false),
            (b"Bearer s3crets", false),
            (b"Bearer S3CRET", false),
            (b"Bearer ", false),
            (b"Basic s3cret", false),
            (b"s3cret", false),
            (b"", false),
            (b"Bearer  s3cret", false),
        ];
        for (shown, opens) in table {
            assert_eq!(token.is_shown_by(Some(shown)), opens, "{}", String::from_utf8_lossy(shown));
        }
        assert!(!token.is_shown_by(None));
        assert!(!Token::new("").is_shown_by(Some(b"Bearer ")));
        assert_eq!(format!("{token:?}"), "Token(…)");
    }
}
