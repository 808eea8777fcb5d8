package mesh

kind(x) := "text" if is_string(x)

kind(x) := "number" if is_number(x)

kind(x) := "list" if is_array(x)

kind(x) := "map" if is_object(x)

kind(x) := "flag" if is_boolean(x)

kind(x) := "nothing" if is_null(x)

out["kind"] := kind(input.x)

out["name"] := type_name(input.x)

out["json"] := json.marshal({"b": [1, true], "a": input.n})

out["back"] := json.unmarshal(`{"a": [1, {"b": null}]}`)

out["valid"] if json.is_valid(input.s)

out["b64"] := base64.encode(input.s)

out["unb64"] := base64.decode("aGVsbG8=")

out["hex"] := hex.encode(input.s)

out["order"] := sort([1, "a", null, true, [1], {"a": 1}, input.letter])

deny contains "a list" if kind(input.x) == "list"
