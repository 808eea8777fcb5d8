//! Flags of `prices …`.

use clap::{Args, Subcommand};

/// Read and change the prices by which money limits count.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  ai-mesh prices list
  ai-mesh prices set my-model --in 0.8 --out 3.2 --source 'contract 7'
  ai-mesh prices set default --in 20 --out 90
  ai-mesh prices delete my-model")]
pub(crate) struct Prices {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// The verbs of `prices`.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List the prices in force, in US dollars for a million tokens
    #[command(
        after_help = "Examples:\n  ai-mesh prices list\n  ai-mesh prices list -o json | jq '.models[] | select(.origin == \"set\")'"
    )]
    List,
    /// Set the price of a model; it takes effect at once, and overrides the file and the shipped list
    #[command(after_help = "Examples:\n  ai-mesh prices set gpt-4o --in 2.5 --cached 1.25 --out 10")]
    Set(Set),
    /// Take back a price that was set
    #[command(after_help = "Examples:\n  ai-mesh prices delete gpt-4o")]
    Delete {
        /// The model, or `default`
        model: String,
    },
}

/// A price, in US dollars for a million tokens.
#[derive(Args, Debug)]
pub(crate) struct Set {
    /// The model, or `default` for those that are not listed
    pub(crate) model: String,
    /// Tokens read
    #[arg(long = "in", value_name = "USD", value_parser = usd, allow_negative_numbers = true)]
    pub(crate) input: f64,
    /// Tokens read from a cache [default: as --in]
    #[arg(long, value_name = "USD", value_parser = usd, allow_negative_numbers = true)]
    pub(crate) cached: Option<f64>,
    /// Tokens written to a cache [default: as --in]
    #[arg(long, value_name = "USD", value_parser = usd, allow_negative_numbers = true)]
    pub(crate) cache_write: Option<f64>,
    /// Tokens written
    #[arg(long = "out", value_name = "USD", value_parser = usd, allow_negative_numbers = true)]
    pub(crate) written: f64,
    /// Tokens of reasoning [default: as --out]
    #[arg(long, value_name = "USD", value_parser = usd, allow_negative_numbers = true)]
    pub(crate) reasoning: Option<f64>,
    /// Where the price comes from, such as a contract
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub(crate) source: String,
    /// The day from which it applies
    #[arg(long, default_value = "", value_name = "DAY")]
    pub(crate) date: String,
}

/// A price; a negative one is read, to be refused by name.
fn usd(text: &str) -> Result<f64, String> {
    let price = text.parse::<f64>().ok().filter(|price| price.is_finite() && *price >= 0.0);
    price.ok_or_else(|| "expected US dollars for a million tokens, 0 or more, such as 2.5".to_owned())
}
