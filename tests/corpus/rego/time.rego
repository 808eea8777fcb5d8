package mesh

ns := input.time.ns
out["date"] := time.date(ns)
out["clock"] := time.clock([ns, "Europe/Berlin"])
out["weekday"] := time.weekday(ns)
out["parsed"] := time.parse_rfc3339_ns(input.time.rfc3339)
out["added"] := time.add_date(ns, 0, 1, -3)
out["duration"] := time.parse_duration_ns("1h30m")
out["layout"] := time.parse_ns("2006-01-02", "2026-11-24")
out["diff"] := time.diff(ns, time.parse_rfc3339_ns("2020-02-29T12:00:00Z"))
out["format"] := time.format(ns)
deny contains "at night" if { [hour, _, _] := time.clock(ns); hour < 6 }
warn contains "on a weekend" if time.weekday(ns) in {"Saturday", "Sunday"}
