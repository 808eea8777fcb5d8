package mesh

out["indices"] := {i | some i, "admin" in input.roles}

out["keys"] := {k | some k, _ in input.request}

out["by_value"] := {k | some k, true in {"a": input.request.stream, "b": true}}

out["old_style"] := [x | x := input.list[_]; x > 0]

out["walk"] := count([v | walk(input.x, [_, v])])

out["nested"] := {t | some m in input.messages; some t in split(m.text, ".")}

out["in_object"] if "POST" in input.request

out["key_in_object"] if "method", "POST" in input.request

deny contains message if {
	some i, m in input.messages
	contains(m.text, "password")
	message := sprintf("message %d asks for it", [i + 1])
}
