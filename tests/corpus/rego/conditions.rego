package mesh

default allow := false
business if { [hour, _, _] := time.clock(input.time.ns); hour >= 8; hour < 18 }
trusted if net.cidr_contains("10.0.0.0/8", input.source.ip)
expensive if { startswith(input.request.model, "gpt-4"); not endswith(input.request.model, "-mini") }
score := count([1 | some finding in input.findings; finding.score > 0.5]) + count(input.tool_calls)
allow if { business; trusted; not expensive }
allow if { "admin" in input.roles; score < 3 }
deny contains "personal data to an expensive model" if { expensive; some finding in input.findings; finding.type in {"US_SSN", "CREDIT_CARD"} }
deny contains sprintf("%s asks %s too much", [input.agent, input.request.model]) if { score > 3 }
warn contains finding.type if { some finding in input.findings; finding.count > 1 }
