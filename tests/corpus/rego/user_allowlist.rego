package mesh

# Default deny, as the tutorials begin.
default allow := false

allow if {
	is_staff
	not is_blocked
}

allow if input.agent == "batch"

is_staff if {
	some role in input.roles
	role in {"admin", "user"}
}

is_staff if startswith(object.get(input, "user", ""), "ad")

is_blocked if input.user in {"mallory", "eve"}

is_blocked if net.cidr_contains("192.0.2.0/24", input.source.ip)

deny contains msg if {
	not allow
	msg := sprintf("%s may not use %s", [input.agent, input.request.model])
}
