package mesh

out["all"] := sprintf("%s %d %v %q", [input.s, input.n, input.list, input.letter])

out["nested"] := sprintf("%v", [{"a": [1, "x", null], "b": {"c": true}}])

out["set"] := sprintf("%v", [{3, 1, 2}])

out["percent"] := sprintf("100%%", [])

out["fixed"] := sprintf("%.2f", [input.f])

out["zeros"] := sprintf("%05d", [input.n])

out["width"] := sprintf("%5d", [input.n])

out["concat"] := concat(", ", sort({role | some role in input.roles}))

out["upper"] := upper(trim_space(input.s))

out["trim"] := trim(input.s, "ab")

out["sub"] := substring("hello world", 6, -1)

out["index"] := indexof(input.s, "b")

out["indices"] := indexof_n("abcabc", "b")

out["replace"] := replace(input.s, "a", "ä")

out["replace_n"] := strings.replace_n({"<": "&lt;", ">": "&gt;"}, "<b>")

out["reverse"] := strings.reverse(input.s)

out["count"] := strings.count(input.s, "a")

out["number"] := to_number("12.5")

out["base"] := format_int(input.n, 16)

out["lines"] := split("a\nb\n", "\n")

out["any_prefix"] if strings.any_prefix_match(input.request.model, {"gpt-", "o"})

out["any_suffix"] if strings.any_suffix_match(input.agent, ["-1", "er"])
