package mesh_test

import data.mesh

call(tool, findings) := {"tool_calls": [{"name": tool, "arguments": {}}], "findings": findings}

found := [{"type": "US_SSN", "count": 1, "place": "request:messages[0].content", "score": 0.85}]

test_nothing_found if count(mesh.deny) == 0 with input as call("send_mail", [])

test_found_and_outside if {
	mesh.deny == {"`send_mail` reaches outside, and US_SSN was found"} with input as call("send_mail", found)
}

test_found_and_inside if count(mesh.deny) == 0 with input as call("search", found)

test_hardly_found if {
	count(mesh.deny) == 0 with input as call("send_mail", [{"type": "US_SSN", "count": 1, "place": "x", "score": 0.2}])
}
