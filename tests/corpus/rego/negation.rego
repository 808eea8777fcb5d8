package mesh

deny contains "no user" if not input.user
deny contains "no admin" if not "admin" in input.roles
deny contains "not positive" if { some x in input.list; not x > 0 }
warn contains "untyped" if not is_string(input.x)
out["none"] if not helper
helper if { some x in input.list; x == 7 }
out["double"] if not no_helper
no_helper if not helper
