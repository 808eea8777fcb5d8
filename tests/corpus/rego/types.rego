package mesh

out["is"] := [is_null(input.x), is_boolean(input.x), is_number(input.x), is_string(input.x), is_array(input.x), is_object(input.x), is_set(input.x)]
out["name"] := type_name(input.x)
deny contains "odd" if not type_name(input.x) in {"string", "object", "null"}
