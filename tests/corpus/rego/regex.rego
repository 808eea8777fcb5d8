package mesh

out["match"] if regex.match(`^[a-c ]+$`, input.s)
out["find"] := regex.find_n(`[a-z]+`, input.s, -1)
out["two"] := regex.find_n(`\w`, input.s, 2)
out["split"] := regex.split(`[ .]+`, input.s)
out["replace"] := regex.replace(input.s, `(a)(b)`, "$2$1")
out["valid"] if regex.is_valid(input.s)
out["template"] if regex.template_match("urn:{[a-z]+}:x", sprintf("urn:%s:x", [input.s]), "{", "}")
deny contains message.text if { some message in input.messages; regex.match(`(?i)\bpassword\b`, message.text) }
