//! `limits`: what is used of each limit, and what is left.

use serde_json::Value;

use super::printed;
use crate::{
    args::LimitsFilter,
    failure::Outcome,
    http::{Client, query},
    output::{BAD, GOOD, Output, Rows, WARN, field, say, styled},
};

/// Lists the accounts that were used last.
pub(crate) fn run(client: &Client, output: Output, filter: &LimitsFilter) -> Outcome {
    let pairs = [("policy", filter.policy.as_deref()), ("key", filter.key.as_deref())];
    let answer = client.get(&format!("/api/v1/limits{}", query(&pairs)))?;
    if answer["truncated"] == true {
        let narrower = match (&filter.policy, &filter.key) {
            (Some(_), Some(_)) => "",
            (Some(_), None) => ": name a key to see others",
            (None, Some(_)) => ": name a policy to see others",
            (None, None) => ": name a policy or key to see others",
        };
        say(format_args!("there are more; only the accounts that were used last are shown{narrower}"));
    }
    printed(output.show(&answer["limits"], |limits| {
        let columns = [
            "POLICY",
            "RULE",
            "KEY",
            "MEASURE",
            "USED",
            "IN LEASES",
            "UNSETTLED",
            "LIMIT",
            "PER",
            "RESETS IN",
        ];
        let mut rows = Rows::new(&columns, "nothing is counted under a limit now");
        for limit in limits.as_array().into_iter().flatten() {
            rows.push([
                field(limit, "policy"),
                field(limit, "rule"),
                field(limit, "key"),
                field(limit, "measure"),
                used(limit),
                leases(limit),
                unsettled(limit),
                amount(limit, "limit"),
                window(limit),
                limit["resets_in_seconds"].as_u64().map(time).unwrap_or_default(),
            ]);
        }
        rows.to_string()
    }))
}

/// What is used, and which part of that is only reserved; the colour says how much is left.
fn used(limit: &Value) -> String {
    let (used, most) = (limit["used"].as_u64().unwrap_or(0), limit["limit"].as_u64().unwrap_or(0));
    let style = match used {
        _ if used >= most => BAD,
        _ if used >= most - most / 5 => WARN,
        _ => GOOD,
    };
    let text = match limit["reserved"].as_u64() {
        Some(reserved) if reserved > 0 && limit["measure"] != "concurrent" => {
            format!("{} ({} reserved)", amount(limit, "used"), amount(limit, "reserved"))
        }
        _ => amount(limit, "used"),
    };
    styled(style, text)
}

/// What sidecars may admit without asking.
fn leases(limit: &Value) -> String {
    match limit["leases"].as_u64() {
        Some(leases) if leases > 0 => format!("{} in {leases}", amount(limit, "lent")),
        _ => String::new(),
    }
}

/// Reservations that nobody settled: those that expired lately, and when the first of the open ones will.
fn unsettled(limit: &Value) -> String {
    let expired = match limit["expired"].as_u64() {
        Some(expired) if expired > 0 => Some(styled(BAD, format!("{expired} expired"))),
        _ => None,
    };
    let open = match (limit["open"].as_u64(), limit["expires_in_seconds"].as_u64()) {
        (Some(open), Some(left)) if open > 0 => Some(format!("{open} open, {} left", time(left))),
        _ => None,
    };
    expired.into_iter().chain(open).collect::<Vec<_>>().join("; ")
}

/// Money is counted in millionths of a dollar.
fn amount(limit: &Value, name: &str) -> String {
    let amount = limit[name].as_u64().unwrap_or(0);
    if limit["measure"] != "cost" {
        return amount.to_string();
    }
    let micros = format!("{:06}", amount % 1_000_000);
    let decimals = micros.trim_end_matches('0');
    format!("${}.{decimals:0<2}", amount / 1_000_000)
}

fn window(limit: &Value) -> String {
    match limit["window_seconds"].as_u64() {
        _ if limit["measure"] == "concurrent" => "at a time".to_owned(),
        Some(1) => "second".to_owned(),
        Some(60) => "minute".to_owned(),
        Some(3600) => "hour".to_owned(),
        Some(86_400) => "day".to_owned(),
        Some(seconds) => time(seconds),
        None => String::new(),
    }
}

fn time(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7200 => format!("{}m", seconds.div_ceil(60)),
        7200..172_800 => format!("{}h", seconds.div_ceil(3600)),
        _ => format!("{}d", seconds.div_ceil(86_400)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn amounts_and_windows_read_well() {
        let cost = |micros: u64| json!({ "measure": "cost", "used": micros, "window_seconds": 2_592_000 });
        let table = [(0, "$0.00"), (50_000_000, "$50.00"), (1_234_567, "$1.234567"), (500, "$0.0005")];
        for (micros, expected) in table {
            assert_eq!(amount(&cost(micros), "used"), expected);
        }
        assert_eq!(window(&cost(1)), "30d");
        // Small limits are not nearly used from the start.
        for (spent, most, style) in [
            (0, 5, GOOD),
            (3, 5, GOOD),
            (4, 5, WARN),
            (5, 5, BAD),
            (79, 100, GOOD),
            (80, 100, WARN),
            (0, 0, BAD),
        ] {
            let row = json!({ "measure": "concurrent", "used": spent, "limit": most });
            assert_eq!(used(&row), styled(style, spent.to_string()), "{spent} of {most}");
        }
        assert_eq!(amount(&json!({ "measure": "tokens", "used": 7 }), "used"), "7");
        assert_eq!(window(&json!({ "measure": "concurrent", "window_seconds": 1 })), "at a time");
        let texts: Vec<String> = [5, 119, 120, 7199, 7200, 86_400 * 3].into_iter().map(time).collect();
        assert_eq!(texts, ["5s", "119s", "2m", "120m", "2h", "3d"]);
    }
}
