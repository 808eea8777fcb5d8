package mesh

team := data.teams[name] if {
	some name
	input.user in data.teams[name].members
}

deny contains "no team" if not team

out["quota"] := team.quota.calls

out["names"] := [name | some name, t in data.teams; input.user in t.members]

out["leads"] := {t.lead | some t in data.teams}

out["deep"] := data.teams.red.quota.calls

out["missing"] if not data.teams.green

out["all_quota"] := sum([t.quota.calls | some t in data.teams])

out["max"] := max({t.quota.calls | some t in data.teams})

out["paths"] := {concat("/", p) | walk(data.limits, [p, v]); is_number(v)}
