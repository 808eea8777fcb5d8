package mesh

default allow := false
default level := "low"
default limit(_) := 10
allow if input.agent == "support-1"
level := "high" if count(input.tool_calls) > 1
limit(agent) := 100 if agent == "batch"
out["level"] := level
out["limit"] := limit(input.agent)
deny contains "over" if count(input.list) * 10 > limit(input.agent)
