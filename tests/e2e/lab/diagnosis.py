# SPDX-License-Identifier: MIT
"""What stsd-query says of a domain, as a test reads it: the object of --json, which must be
as its schema says, and the text beside it."""
import json
import os

try:
    import jsonschema
except ImportError:
    jsonschema = None

SCHEMA = os.path.join(os.path.dirname(__file__), "../../../daemon/stsd-query.schema.json")
UNPRINTABLE = ([chr(n) for n in range(0x20) if n != 0x0A] + [chr(n) for n in range(0x7F, 0xA0)]
               + [chr(n) for n in (0x61C, 0x200E, 0x200F, *range(0x2028, 0x202F),
                                   *range(0x2066, 0x206A), 0xFFFD)])


def _validator():
    if jsonschema is None:
        return None
    with open(SCHEMA, encoding="utf-8") as file:
        schema = json.load(file)
    return jsonschema.Draft202012Validator(schema,
                                           format_checker=jsonschema.FormatChecker())


VALIDATOR = _validator()


def check(thing):
    """By the schema, where this machine can."""
    if VALIDATOR is None:
        return
    for error in VALIDATOR.iter_errors(thing):
        where = "/".join(str(step) for step in error.absolute_path)
        raise AssertionError(f"not by the schema: {where}: {error.message[:500]}")


def read(line):
    thing = json.loads(line)
    check(thing)
    return thing


def unprintable(text):
    """What would do something to a terminal; U+FFFD stands for what is no UTF-8."""
    return sorted({f"U+{ord(c):04X}" for c in text if c in UNPRINTABLE})


class Seen:
    """Both forms of a look at one domain."""

    def __init__(self, world, name, *options, **more):
        told = world.query("--json", *options, name, **more)
        if len(told.out.splitlines()) != 1:
            raise AssertionError(f"not one line: {told.status} {told.out!r} {told.err!r}")
        self.json = read(told.out)
        self.status = told.status
        self.text = world.query(*options, name, **more)

    @property
    def ids(self):
        return [finding["id"] for finding in self.json["findings"]]

    def finding(self, name):
        return next((f for f in self.json["findings"] if f["id"] == name), None)

    @property
    def troubles(self):
        """Errors and warnings, in their order."""
        return [f["id"] for f in self.json["findings"] if f["severity"] != "info"]
