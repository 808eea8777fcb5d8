package mesh

blocked if {
	some f in input.findings
	f.score > 0.5
}

clean if not blocked

no_secrets if not has("US_SSN")

has(kind) if {
	some f in input.findings
	f.type == kind
	f.count > 0
}

deny contains "a number" if not no_secrets

deny contains "an address" if {
	has("EMAIL_ADDRESS")
	not input.request.stream
}

out["clean"] := clean

out["undefined"] if not input.nothing.at.all

out["false"] if not input.request.stream

out["null"] if input.user == null

out["not_null"] if input.user

out["neither"] if {
	not has("US_SSN")
	not has("EMAIL_ADDRESS")
}

violations := [f | some f in input.findings; f.score >= 0.5]

out["worst"] := max([f.score | some f in violations]) if count(violations) > 0
