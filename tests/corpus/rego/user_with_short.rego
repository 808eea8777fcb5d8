package mesh

allowed if "admin" in input.roles

deny contains "not allowed" if not allowed

warn contains "as if allowed" if allowed with allowed as true
