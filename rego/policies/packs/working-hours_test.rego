package mesh_test

import data.mesh

at(moment, tool) := {
	"time": {"ns": time.parse_rfc3339_ns(moment)},
	"tool_calls": [{"name": tool, "arguments": {}}],
}

tuesday := "2026-11-24T15:00:00Z"

night := "2026-11-25T03:00:00Z"

saturday := "2026-11-28T15:00:00Z"

test_on_a_tuesday if count(mesh.deny) == 0 with input as at(tuesday, "deploy_web")

test_at_night if mesh.deny == {"`deploy_web` runs in working hours only"} with input as at(night, "deploy_web")

test_on_a_saturday if count(mesh.deny) == 1 with input as at(saturday, "send_mail")

test_reading_is_warned_of if count(mesh.warn) == 1 with input as at(saturday, "search")

test_reading_is_not_denied if count(mesh.deny) == 0 with input as at(saturday, "search")
