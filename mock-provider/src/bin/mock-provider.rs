//! The mock provider as a program of its own: `mock-provider [--port N]` on 127.0.0.1.

use std::{net::Ipv4Addr, process::ExitCode};

use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let port = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => Some(0),
        ["--port", port] => port.parse().ok(),
        _ => None,
    };
    let Some(port) = port else {
        eprintln!("usage: mock-provider [--port N]   (0, the default, takes a free port)");
        return ExitCode::from(2);
    };
    let run = async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        println!("ready http://{}", listener.local_addr()?);
        mesh_mock_provider::serve(listener).await
    };
    match run.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mock-provider: port {port}: {error}");
            ExitCode::from(2)
        }
    }
}
