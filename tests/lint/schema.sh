#!/bin/sh
# SPDX-License-Identifier: MIT
# stsd-query.schema.json is a JSON schema, what stsd-query --json says is as it says, and
# it leaves no member out: what the unit test makes up, and the golden reports.
set -u
cd "$(dirname "$0")/../.." || exit 1
: "${B:=build}"
python3 -W ignore -c 'import jsonschema' 2>/dev/null || {
	echo "python3-jsonschema is not installed"
	exit 77
}
program=$B/tests/unit/test_query_json
[ -x "$program" ] || {
	echo "$program is not built"
	exit 77
}
objects=$(mktemp) || exit 1
trap 'rm -f "$objects"' EXIT
"$program" print >"$objects" || exit 1
for golden in tests/golden/*.json; do
	[ ! -f "$golden" ] || cat "$golden" >>"$objects"
done
python3 -W ignore - daemon/stsd-query.schema.json "$objects" <<'END'
import json
import sys

import jsonschema


def strict(part):
    """The same schema, in which nothing but what it names may stand."""
    if isinstance(part, list):
        return [strict(p) for p in part]
    if not isinstance(part, dict):
        return part
    part = {key: strict(value) for key, value in part.items()}
    if "properties" in part and "type" in part:
        part["additionalProperties"] = False
    return part


def members(part):
    """Every path of members that the schema names."""
    for key, value in part.get("properties", {}).items():
        yield key
        yield from (key + "." + rest for rest in members(value))
    if "items" in part:
        yield from members(part["items"])


def seen(value):
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, dict):
            for key, inner in item.items():
                yield key
                yield from (key + "." + rest for rest in seen(inner))


with open(sys.argv[1], encoding="utf-8") as file:
    schema = json.load(file)
kind = jsonschema.Draft202012Validator
kind.check_schema(schema)
validator = kind(strict(schema), format_checker=jsonschema.FormatChecker())
bad, count, met = 0, 0, set()
with open(sys.argv[2], encoding="utf-8") as file:
    for line in file:
        count += 1
        report = json.loads(line)
        met.update(seen(report))
        for error in validator.iter_errors(report):
            bad = 1
            print(f"object {count}: {'.'.join(map(str, error.absolute_path))}: {error.message[:300]}")
# "doc" is for whoever publishes the manual.
for missing in sorted(set(members(schema)) - met - {"findings.doc"}):
    bad = 1
    print(f"no object has {missing}")
if count == 0:
    bad = 1
    print("no object at all")
sys.exit(bad)
END
