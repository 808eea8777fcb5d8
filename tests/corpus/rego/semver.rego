package mesh

out["compare"] := semver.compare(version, "1.5.0")
out["valid"] if semver.is_valid(input.s)
out["pre"] := semver.compare("1.0.0-alpha", "1.0.0")
version := sprintf("1.%d.0", [abs(input.n)])
deny contains "too old" if semver.compare(version, "1.10.0") < 0
