# Access rules: a request is denied unless a rule grants it.
#
# data.access.rules   [{resource, allowed_roles, allowed_actions, index}]. `*` in a resource stands for any run of
#                     characters, `/` included; `*` among the actions for every action; `*` among the roles for every
#                     caller, also one without roles.
# input               {roles, action, resource, conditions: {"<index>": bool}}. The conditions of a rule (hours, networks)
#                     were evaluated before; a rule without conditions does not appear there.
package mesh

action := object.get(input, "action", "")

resource := object.get(input, "resource", "")

roles := object.get(input, "roles", [])

conditions := object.get(input, "conditions", {})

deny contains reason if not granted

granted if {
	some rule in data.access.rules
	covers(rule)
	admits(rule)
	holds(rule)
}

reason := sprintf("%s on %s is not allowed at this hour or from this network", [named(action), named(resource)]) if {
	some rule in data.access.rules
	covers(rule)
	admits(rule)
} else := sprintf("%s on %s needs one of the roles: %s", [named(action), named(resource), concat(", ", needed)]) if {
	count(needed) > 0
} else := sprintf("no access rule covers %s on %s", [named(action), named(resource)])

needed := {role |
	some rule in data.access.rules
	covers(rule)
	some role in rule.allowed_roles
}

# The rule speaks of this action on this resource. The glob comes first: it turns most rules away.
covers(rule) if {
	ai_mesh.glob(rule.resource, resource)
	acts(rule)
}

acts(rule) if action in rule.allowed_actions

acts(rule) if "*" in rule.allowed_actions

# The rule names a role of the caller.
admits(rule) if "*" in rule.allowed_roles

admits(rule) if {
	some role in roles
	role in rule.allowed_roles
}

holds(rule) if object.get(conditions, sprintf("%d", [rule.index]), true) == true

named(text) := "an unnamed thing" if text == ""

named(text) := sprintf("%q", [text]) if text != ""
