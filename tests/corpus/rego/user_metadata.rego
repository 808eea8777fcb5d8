# METADATA
# title: Own rules
# description: annotated as `opa inspect` likes it
package mesh

# METADATA
# title: Streams
# custom:
#   severity: LOW
deny contains result if {
	input.request.stream
	result := "streams are off"
}

# METADATA
# scope: document
# title: large
default large := false

large if count(input.messages) > 2

warn contains msg if {
	large
	msg := concat("", ["many ", "messages"])
}

out["large"] := large
