//! The policy of a mesh that was told nothing.
use mesh_policy::{InjectionRule, PiiRule, Policy, Rule, Spec};

/// Values that agents which write code or read logs meet all day, and that identify nobody.
const NOBODYS: [&str; 6] = ["127.*", "0.0.0.0", "::1", "255.255.*", "noreply@*", "no-reply@*"];

/// The starter policy: for every agent, personal data is redacted and injections are blocked. There is no rate limit in it.
pub fn starter() -> Policy {
    let spec = Spec {
        description: Some("Redacts personal data and blocks injections, for every agent".to_owned()),
        rules: vec![
            Rule::Pii(PiiRule { ignore: NOBODYS.map(str::to_owned).to_vec(), ..PiiRule::default() }),
            Rule::Injection(InjectionRule::default()),
        ],
        ..Spec::default()
    };
    Policy::new("starter", spec)
}
