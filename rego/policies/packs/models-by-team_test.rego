package mesh_test

import data.mesh

test_everybody_asks_the_small_ones if count(mesh.deny) == 0 with input as {"model": "claude-haiku-4", "team": null}

test_a_team_asks_its_own if count(mesh.deny) == 0 with input as {"model": "gpt-4o-2026", "team": "support"}

test_one_team_asks_any if count(mesh.deny) == 0 with input as {"model": "o3-pro", "team": "research"}

test_others_are_denied if {
	mesh.deny == {"the model o3-pro is not open to this team"} with input as {"model": "o3-pro", "team": "support"}
}

test_without_a_team if count(mesh.deny) == 1 with input as {"model": "o3-pro"}

test_no_model_is_asked if count(mesh.deny) == 0 with input as {"model": null}
