//! Access rules: time and network are checked here; roles, actions and resources by the shipped Rego library.
//!
//! Grants are decided without the interpreter, by the same conditions in a few comparisons ([`Compiled::grants`]);
//! only if they grant nothing is the library asked, and gives the reason. A test checks that both agree. The library
//! is compiled for a policy on its first use: most policies never need it, and a thousand of them would take half a
//! second.
//!
//! Failure law: if an evaluation fails, the guard has failed; it grants no access.
use std::cell::OnceCell;
use std::net::IpAddr;

use ipnet::IpNet;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use mesh_policy::{AccessRule, Diagnostic, nearest};
use mesh_rego::{Rego, RegoError, access_library};
use serde_json::{Value, json};

use crate::asks::Ask;
use crate::evidence::Near;
use crate::names::Globs;
use crate::{Caller, Timestamp};

/// All access rules of one policy.
#[derive(Debug)]
pub(crate) struct AccessGuard {
    /// The rules as the library reads them.
    data: Value,
    library: OnceCell<Rego>,
    rules: Vec<Compiled>,
}

impl AccessGuard {
    /// `rules` with their indices in the document's rule list.
    pub(crate) fn compile(rules: &[(usize, &AccessRule)]) -> Result<Self, Vec<Diagnostic>> {
        let mut problems = Vec::new();
        let mut compiled = Vec::new();
        for (place, rule) in rules {
            let path = format!("spec.rules[{place}].access.conditions");
            compiled.push(Compiled::new(*place, rule, &path, &mut problems));
        }
        let data: Vec<Value> = rules
            .iter()
            .enumerate()
            .map(|(index, (_, rule))| {
                json!({
                    "index": index,
                    "resource": rule.resource,
                    "allowed_roles": rule.allowed_roles,
                    "allowed_actions": rule.allowed_actions,
                })
            })
            .collect();
        if !problems.is_empty() {
            return Err(problems);
        }
        let data = json!({"access": {"rules": data}});
        Ok(AccessGuard { data, library: OnceCell::new(), rules: compiled })
    }

    fn library(&self) -> Result<&Rego, RegoError> {
        if self.library.get().is_none() {
            let compiled = Rego::compile(&[access_library()], &self.data);
            let compiled =
                compiled.map_err(|errors| errors.into_iter().next().unwrap_or_else(unavailable))?;
            // Not set by anything else in the meantime: a program stays on its thread.
            let _ = self.library.set(compiled);
        }
        self.library.get().ok_or_else(unavailable)
    }

    /// Whether some rule grants the request.
    pub(crate) fn grants(
        &self,
        ask: &Ask,
        caller: &Caller,
        source_ip: Option<IpAddr>,
        now: Timestamp,
    ) -> bool {
        self.rules.iter().any(|rule| rule.grants(ask, caller) && rule.hold(source_ip, now))
    }

    /// `None` if some rule grants the request, otherwise the reason.
    pub(crate) fn judge(
        &self,
        ask: &Ask,
        caller: &Caller,
        source_ip: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<Option<String>, RegoError> {
        if self.grants(ask, caller, source_ip, now) {
            return Ok(None);
        }
        self.explain(ask, caller, source_ip, now)
    }

    /// The rules that concern the resource but do not grant the request, the nearest first; at most [`MAX_NEAR`].
    pub(crate) fn near(
        &self,
        ask: &Ask,
        caller: &Caller,
        source_ip: Option<IpAddr>,
        now: Timestamp,
    ) -> Vec<Near> {
        let rules = self.rules.iter().filter(|rule| ask.names.iter().any(|name| rule.resource.matches(name)));
        let mut near: Vec<Near> = rules
            .map(|rule| Near { rule: rule.place, missing: rule.missing(ask, caller, source_ip, now) })
            .collect();
        near.sort_by_key(|near| near.missing.len());
        near.truncate(MAX_NEAR);
        near
    }

    /// The library's reason.
    fn explain(
        &self,
        ask: &Ask,
        caller: &Caller,
        source_ip: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<Option<String>, RegoError> {
        let conditions: serde_json::Map<String, Value> = self
            .rules
            .iter()
            .enumerate()
            .map(|(index, rule)| (index.to_string(), rule.hold(source_ip, now).into()))
            .collect();
        let mut why = None;
        for resource in &ask.names {
            let input = json!({
                "roles": caller.roles,
                "action": ask.action,
                "resource": resource,
                "conditions": conditions,
            });
            match self.library()?.decide(&input)?.deny.into_iter().next() {
                None => return Ok(None),
                Some(reason) => why = why.or(Some(reason)),
            }
        }
        Ok(why.or_else(|| Some("no resource is named".to_owned())))
    }
}

fn unavailable() -> RegoError {
    let message = "the library of access rules did not compile".to_owned();
    RegoError { module: String::new(), line: None, column: None, message }
}

/// The maximum number of rules in an explanation.
const MAX_NEAR: usize = 4;

#[derive(Debug)]
struct Compiled {
    place: usize,
    resource: Globs,
    roles: Vec<String>,
    actions: Vec<String>,
    hours: Option<Hours>,
    networks: Vec<IpNet>,
}

impl Compiled {
    fn new(place: usize, rule: &AccessRule, path: &str, problems: &mut Vec<Diagnostic>) -> Self {
        let conditions = &rule.conditions;
        let hours = conditions.time_of_day.as_deref().and_then(|text| {
            Hours::parse(text)
                .map_err(|why| {
                    let said = Diagnostic::error(format!("{path}.timeOfDay"), why);
                    problems.push(match zone_like(text) {
                        Some(zone) => said.help(format!("did you mean `{zone}`?")),
                        None => said,
                    });
                })
                .ok()
        });
        let mut networks = Vec::new();
        for (index, text) in conditions.ip_allow_list.iter().enumerate() {
            match text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)) {
                Ok(network) => networks.push(network),
                Err(_) => problems.push(
                    Diagnostic::error(
                        format!("{path}.ipAllowList[{index}]"),
                        format!("found {text:?}, expected a network or an address"),
                    )
                    .help("write it like 10.0.0.0/8, fd00::/8 or 192.0.2.7"),
                ),
            }
        }
        Compiled {
            place,
            resource: Globs::new(std::slice::from_ref(&rule.resource)),
            roles: rule.allowed_roles.clone(),
            actions: rule.allowed_actions.clone(),
            hours,
            networks,
        }
    }

    /// `covers` and `admits` of the library.
    fn grants(&self, ask: &Ask, caller: &Caller) -> bool {
        self.acts(ask) && self.admits(caller) && ask.names.iter().any(|name| self.resource.matches(name))
    }

    fn acts(&self, ask: &Ask) -> bool {
        self.actions.iter().any(|entry| entry == "*" || *entry == ask.action)
    }

    fn admits(&self, caller: &Caller) -> bool {
        let anyone = self.roles.iter().any(|role| role == "*");
        anyone || caller.roles.iter().any(|role| self.roles.contains(role))
    }

    fn hold(&self, source_ip: Option<IpAddr>, now: Timestamp) -> bool {
        self.from(source_ip) && self.at(now)
    }

    /// An unknown address is in no network.
    fn from(&self, source_ip: Option<IpAddr>) -> bool {
        self.networks.is_empty()
            || source_ip.is_some_and(|ip| {
                let ip = ip.to_canonical();
                self.networks.iter().any(|network| network.contains(&ip))
            })
    }

    fn at(&self, now: Timestamp) -> bool {
        self.hours.as_ref().is_none_or(|hours| hours.contains(now))
    }

    /// The unmet conditions of a rule that concerns the resource.
    fn missing(
        &self,
        ask: &Ask,
        caller: &Caller,
        source_ip: Option<IpAddr>,
        now: Timestamp,
    ) -> Vec<&'static str> {
        let held = [
            ("action", self.acts(ask)),
            ("role", self.admits(caller)),
            ("time", self.at(now)),
            ("network", self.from(source_ip)),
        ];
        held.into_iter().filter(|(_, holds)| !holds).map(|(what, _)| what).collect()
    }
}

/// `09:00-17:00 America/New_York`: from the first minute up to, but not including, the second; may span midnight.
#[derive(Debug)]
struct Hours {
    from: Time,
    to: Time,
    zone: TimeZone,
}

impl Hours {
    fn parse(text: &str) -> Result<Self, String> {
        let expected = || {
            format!("found {text:?}, expected hours and a time zone like \"09:00-17:00 America/New_York\"")
        };
        let (range, zone) = text.trim().split_once(' ').ok_or_else(expected)?;
        let (from, to) = range.split_once('-').ok_or_else(expected)?;
        let from = minute(from).ok_or_else(expected)?;
        let to = minute(to).ok_or_else(expected)?;
        let zone = TimeZone::get(zone.trim()).map_err(|_| {
            format!("{:?} is no time zone of the IANA database (like Europe/Berlin or UTC)", zone.trim())
        })?;
        Ok(Hours { from, to, zone })
    }

    fn contains(&self, now: Timestamp) -> bool {
        let Ok(now) = jiff::Timestamp::from_nanosecond(i128::from(now)) else { return false };
        let time = self.zone.to_datetime(now).time();
        if self.from <= self.to {
            self.from <= time && time < self.to
        } else {
            time >= self.from || time < self.to
        }
    }
}

/// The time zone that the author may have meant.
fn zone_like(hours: &str) -> Option<String> {
    let (_, zone) = hours.trim().split_once(' ')?;
    let known: Vec<String> = jiff::tz::db().available().map(|name| name.as_str().to_owned()).collect();
    nearest(zone, known.iter().map(String::as_str)).map(str::to_owned)
}

/// `HH:MM`; `24:00` is the end of the day.
fn minute(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    if hour.len() != 2 || minute.len() != 2 {
        return None;
    }
    match (hour.parse::<i8>().ok()?, minute.parse::<i8>().ok()?) {
        (24, 0) => Some(Time::MAX),
        (hour, minute) => Time::new(hour, minute, 0, 0).ok(),
    }
}

#[cfg(test)]
mod tests {
    use mesh_policy::Conditions;

    use super::*;

    fn at(text: &str) -> Timestamp {
        u64::try_from(text.parse::<jiff::Timestamp>().unwrap().as_nanosecond()).unwrap()
    }

    #[test]
    fn hours_are_hours_of_their_zone() {
        // range, instant (UTC), inside
        let cases = [
            ("09:00-17:00 America/New_York", "2026-01-15T13:59:59Z", false),
            ("09:00-17:00 America/New_York", "2026-01-15T14:00:00Z", true), // EST: UTC-5
            ("09:00-17:00 America/New_York", "2026-07-15T13:00:00Z", true), // EDT: UTC-4
            ("09:00-17:00 America/New_York", "2026-07-15T21:00:00Z", false),
            ("09:00-17:00 EST", "2026-07-15T14:00:00Z", true),
            ("22:00-06:00 UTC", "2026-07-15T23:00:00Z", true),
            ("22:00-06:00 UTC", "2026-07-15T05:59:59Z", true),
            ("22:00-06:00 UTC", "2026-07-15T06:00:00Z", false),
            ("00:00-24:00 UTC", "2026-07-15T23:59:59Z", true),
        ];
        for (range, instant, inside) in cases {
            assert_eq!(Hours::parse(range).unwrap().contains(at(instant)), inside, "{range} at {instant}");
        }
        for bad in
            ["", "09:00-17:00", "9-17 UTC", "09:00-25:00 UTC", "09:00-17:00 Mars/Olympus", "09:60-10:00 UTC"]
        {
            assert!(Hours::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn rules_grant_and_everything_else_is_denied() {
        let rule = AccessRule {
            resource: "finance_reports/*".into(),
            allowed_roles: vec!["cfo".into()],
            allowed_actions: vec!["read".into()],
            conditions: Conditions {
                time_of_day: Some("09:00-17:00 UTC".into()),
                ip_allow_list: vec!["10.0.0.0/8".into(), "192.0.2.7".into()],
            },
        };
        let guard = AccessGuard::compile(&[(0, &rule)]).unwrap();
        let noon = "2026-01-15T12:00:00Z";
        // role, action, resource, address, instant, granted
        let cases = [
            ("cfo", "read", "finance_reports/q3", "10.1.2.3", noon, true),
            ("cfo", "read", "finance_reports/q3", "::ffff:10.1.2.3", noon, true),
            ("cfo", "read", "finance_reports/q3", "192.0.2.7", noon, true),
            ("cfo", "read", "finance_reports/q3", "192.0.2.8", noon, false),
            ("cfo", "read", "finance_reports/q3", "10.1.2.3", "2026-01-15T18:00:00Z", false),
            ("intern", "read", "finance_reports/q3", "10.1.2.3", noon, false),
            ("cfo", "write", "finance_reports/q3", "10.1.2.3", noon, false),
            ("cfo", "read", "hr/q3", "10.1.2.3", noon, false),
        ];
        for (role, action, resource, ip, instant, granted) in cases {
            let ask = Ask { names: vec![resource.into()], action: action.into() };
            let caller = Caller { roles: vec![role.into()], ..Caller::default() };
            let refused = guard.judge(&ask, &caller, Some(ip.parse().unwrap()), at(instant)).unwrap();
            assert_eq!(refused.is_none(), granted, "{role} {action} {resource} {ip} {instant}: {refused:?}");
        }
    }

    #[test]
    fn the_library_and_the_comparisons_grant_the_same() {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let resources = ["a/*", "*", "a", "a/b*", "*b", "a?b", "[a]*", ""];
        let roles = ["", "*", "r", "r s", "* r"];
        let actions = ["read", "*", "read write", ""];
        let at = "2026-01-15T12:00:00Z".parse::<jiff::Timestamp>().unwrap();
        let now = u64::try_from(at.as_nanosecond()).unwrap();
        let mut granted = 0;
        for resource in resources {
            for allowed_roles in roles {
                for allowed_actions in actions {
                    for hours in [None, Some("09:00-11:00 UTC".to_owned())] {
                        let conditions = Conditions { time_of_day: hours, ..Conditions::default() };
                        let rule = AccessRule {
                            resource: resource.into(),
                            allowed_roles: words(allowed_roles),
                            allowed_actions: words(allowed_actions),
                            conditions,
                        };
                        let other = AccessRule {
                            resource: "z".into(),
                            allowed_roles: words("t"),
                            allowed_actions: words("read"),
                            ..AccessRule::default()
                        };
                        let guard = AccessGuard::compile(&[(0, &rule), (1, &other)]).unwrap();
                        for names in ["a", "a/b", "x", "b a/b/c", "z", "[a]x", "aXb"] {
                            for role in ["", "r", "s t", "*"] {
                                let ask = Ask { names: words(names), action: "read".into() };
                                let caller = Caller { roles: words(role), ..Caller::default() };
                                let quick = guard.judge(&ask, &caller, None, now).unwrap();
                                let library = guard.explain(&ask, &caller, None, now).unwrap();
                                assert_eq!(quick, library, "{rule:?} {ask:?} {role:?}");
                                granted += usize::from(quick.is_none());
                            }
                        }
                    }
                }
            }
        }
        assert!(granted > 500, "{granted}");
    }

    #[test]
    fn bad_conditions_name_their_field() {
        let conditions = Conditions {
            time_of_day: Some("noonish".into()),
            ip_allow_list: vec!["10.0.0.0/8".into(), "ten".into()],
        };
        let rule = AccessRule { conditions, ..AccessRule::default() };
        let problems = AccessGuard::compile(&[(3, &rule)]).unwrap_err();
        let paths: Vec<_> = problems.iter().map(|p| p.path.as_str()).collect();
        assert_eq!(
            paths,
            ["spec.rules[3].access.conditions.timeOfDay", "spec.rules[3].access.conditions.ipAllowList[1]"]
        );
    }
}
