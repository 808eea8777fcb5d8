package mesh_test

import data.mesh

call(arguments) := {"tool_calls": [{"name": "transfer", "arguments": arguments}]}

test_a_small_amount_passes if count(mesh.deny) == 0 with input as call({"amount": 1000, "currency": "EUR"})

test_a_large_amount_is_denied if count(mesh.deny) == 1 with input as call({"amount": 1001})

test_another_currency_is_denied if {
	mesh.deny == {"`transfer` in a currency that is not listed"} with input as call({"amount": 1, "currency": "XAU"})
}

test_an_amount_in_words_is_denied if {
	mesh.deny == {"`transfer` names no amount"} with input as call({"amount": "a million"})
}

test_other_tools_pass if count(mesh.deny) == 0 with input as {"tool_calls": [{"name": "search", "arguments": {}}]}
