"""What OPA says: policies and inputs as JSON on standard input, the values of each policy's rules on standard output."""

import json
import sys

from opa_bindings import OpaEngine, OpaError, OpaUndefinedError

RULES = ["deny", "warn", "allow", "out"]


def values(engine, document):
    # All at once where that goes: a conflict in one rule is no error of the others.
    try:
        found = engine.eval_document("mesh", document)
        return {rule: {"value": found[rule]} if rule in found else {} for rule in RULES}
    except OpaError:
        return {rule: value(engine, rule, document) for rule in RULES}


def value(engine, rule, document):
    try:
        return {"value": engine.eval_document("mesh." + rule, document)}
    except OpaUndefinedError:
        return {}
    except OpaError as error:
        return {"error": str(error)}


def main():
    asked = json.load(sys.stdin)
    answers = {}
    for policy in asked["policies"]:
        with OpaEngine() as engine:
            engine.print_handler = lambda message, location: None
            engine.add_data(asked["data"])
            for path, source in policy["modules"].items():
                engine.add_policy(path, source)
            answers[policy["name"]] = [values(engine, document) for document in asked["inputs"]]
    json.dump(answers, sys.stdout)


main()
