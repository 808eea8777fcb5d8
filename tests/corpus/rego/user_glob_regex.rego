package mesh

out["model"] if glob.match("gpt-*", [], input.request.model)

out["path"] if glob.match("/v1/*/completions", ["/"], input.request.path)

out["deep"] if glob.match("/v1/**", ["/"], input.request.path)

out["one"] if glob.match("suppor?-1", null, input.agent)

out["either"] if glob.match("{batch,crawler}", [], input.agent)

out["dots"] if glob.match("*.com", ["."], "x.com")

deny contains "a card number" if {
	some m in input.messages
	regex.match(`\d{4}-?\d{4}`, m.text)
}

out["found"] := regex.find_n(`[ab]+`, input.s, -1)

out["replaced"] := regex.replace(input.s, `[^a-z]`, "_")

out["split"] := regex.split(`\.`, input.s)

out["groups"] := regex.find_all_string_submatch_n(`(a)(b)?`, input.s, 3)

out["anchored"] if regex.match(`^(support|batch)-?[0-9]*$`, input.agent)
