//! Ports, looked at before anything is started: one that is in use is an error at once, not half-way.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

use crate::failure::{Failure, Outcome};

/// A port somebody asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    /// Whose it will be.
    pub(crate) what: &'static str,
    /// The flag that sets it.
    pub(crate) flag: &'static str,
    /// The address it will listen on.
    pub(crate) address: IpAddr,
    /// The number; 0 asks for any free one.
    pub(crate) port: u16,
}

/// An address for each of them; each was free a moment ago.
pub(crate) fn choose<const N: usize>(wanted: [Wanted; N]) -> Outcome<[SocketAddr; N]> {
    let mut held = Vec::with_capacity(N);
    let mut chosen = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)); N];
    for (at, want) in wanted.iter().enumerate() {
        let twin = wanted[..at].iter().find(|other| other.port == want.port && want.port != 0);
        if let Some(other) = twin {
            return Err(Failure::environment(format!(
                "{} and {} are both {}: each needs a port of its own",
                other.flag, want.flag, want.port
            )));
        }
        // All are held until all are chosen, so that two zeros never get the same one.
        let listener = TcpListener::bind((want.address, want.port));
        let listener = listener.map_err(|error| unusable(want, &error))?;
        chosen[at] = listener.local_addr().map_err(|error| unusable(want, &error))?;
        held.push(listener);
    }
    Ok(chosen)
}

fn unusable(want: &Wanted, error: &std::io::Error) -> Failure {
    let Wanted { what, flag, address, port } = want;
    match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            Failure::environment(format!("port {port} ({what}) is in use by another program"))
                .hint(format!("stop that program, or choose another port with {flag}"))
        }
        std::io::ErrorKind::PermissionDenied => {
            Failure::environment(format!("port {port} ({what}) needs rights that this user does not have"))
                .hint(format!("choose a port above 1023 with {flag}"))
        }
        std::io::ErrorKind::AddrNotAvailable => {
            Failure::environment(format!("{address} is no address of this machine")).hint("see --bind")
        }
        _ => Failure::environment(format!("port {port} ({what}) can't be used: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn want(flag: &'static str, port: u16) -> Wanted {
        Wanted { what: "a test", flag, address: Ipv4Addr::LOCALHOST.into(), port }
    }

    #[test]
    fn zeros_become_different_free_ports() {
        let [a, b, c] = choose([want("--a", 0), want("--b", 0), want("--c", 0)]).unwrap();
        assert!(a.port() != 0 && a != b && b != c && a != c);
        choose([want("--a", a.port())]).unwrap();
    }

    #[test]
    fn a_port_in_use_is_named_with_its_flag() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let failure = choose([want("--port", 0), want("--api-port", port)]).unwrap_err();
        assert_eq!(failure.exit, crate::failure::Exit::Environment);
        let text = failure.to_string();
        assert!(
            text.contains(&format!("port {port} (a test) is in use")) && text.contains("--api-port"),
            "{text}"
        );
    }

    #[test]
    fn one_port_for_two_is_an_error() {
        let text = choose([want("--port", 7), want("--api-port", 7)]).unwrap_err().to_string();
        assert!(text.contains("--port and --api-port are both 7"), "{text}");
    }
}
