"""Which documents a JSON Schema accepts: the schemas and documents as JSON on standard input, a list of booleans on standard output."""

import json
import sys

from jsonschema import Draft202012Validator


def main():
    asked = json.load(sys.stdin)
    validators = {kind: Draft202012Validator(schema) for kind, schema in asked["schemas"].items()}
    for schema in asked["schemas"].values():
        Draft202012Validator.check_schema(schema)
    json.dump([validators[row["kind"]].is_valid(row["document"]) for row in asked["documents"]], sys.stdout)


main()
