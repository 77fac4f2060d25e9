# SPDX-License-Identifier: Apache-2.0
"""JSON Schema as the services' interface uses it, read from its specification and not from services/framework/schema.cc: two readers
that disagree show a mistake in one of them. Source: json-schema.org, draft 2020-12, Core and Validation."""
import math
import re

KINDS = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
PREFIX = "#/components/schemas/"
ANNOTATIONS = {"title", "description", "default", "examples", "deprecated"}
UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)\Z", re.IGNORECASE)


class UnknownWord(Exception):
    """A schema has a word that nothing here looks at: what fits it is not known."""


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def has_type(value, kind):
    if kind == "number":
        return is_number(value)
    if kind == "integer":
        return is_number(value) and math.isfinite(value) and float(value).is_integer()
    return isinstance(value, KINDS[kind])


def same(left, right):
    """Equality of JSON: true is not 1."""
    if isinstance(left, bool) != isinstance(right, bool):
        return False
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[name], right[name]) for name in left)
    return left == right


def pointer(at, name):
    return f"{at}/" + str(name).replace("~", "~0").replace("/", "~1")


def bounds(concerns, measure, too_small, too_large):
    """The two words that bound a measure of the values that they concern."""
    def at_least(wanted, value, at, _):
        return f"{at}: too {too_small}" if concerns(value) and measure(value) < wanted else None

    def at_most(wanted, value, at, _):
        return f"{at}: too {too_large}" if concerns(value) and measure(value) > wanted else None
    return staticmethod(at_least), staticmethod(at_most)


class Schemas:
    """The schemas of an interface by name, and what a value lacks to fit one."""

    def __init__(self, components):
        self.components = components
        for name, schema in components.items():
            self.check(schema, name)

    def check(self, schema, where):
        """Raises UnknownWord where a schema has words that mismatch() does not know, or names what is not there."""
        for word, inner in schema.items():
            if word == "$ref":
                if not inner.startswith(PREFIX) or inner[len(PREFIX):] not in self.components:
                    raise UnknownWord(f"{where}: {inner}")
            elif word in ("anyOf", "oneOf", "allOf"):
                for each in inner:
                    self.check(each, where)
            elif word == "properties":
                for name, each in inner.items():
                    self.check(each, pointer(where, name))
            elif word == "items" or word == "additionalProperties" and not isinstance(inner, bool):
                self.check(inner, pointer(where, word))
            elif word not in ANNOTATIONS and not hasattr(self, "of_" + word):
                raise UnknownWord(f"{where}: {word}")

    def mismatch(self, schema, value, at=""):
        """Where and why a value does not fit, None when it does."""
        for word, wanted in schema.items():
            if word in ANNOTATIONS or word == "items" and not isinstance(value, list):
                continue
            wrong = self.mismatch(self.components[wanted[len(PREFIX):]], value, at) if word == "$ref" else \
                getattr(self, "of_" + word)(wanted, value, at, schema)
            if wrong:
                return wrong
        return None

    @staticmethod
    def of_type(wanted, value, at, _):
        kinds = wanted if isinstance(wanted, list) else [wanted]
        return None if any(has_type(value, kind) for kind in kinds) else f"{at}: not of type {wanted}"

    @staticmethod
    def of_enum(wanted, value, at, _):
        return None if any(same(each, value) for each in wanted) else f"{at}: none of {wanted}"

    @staticmethod
    def of_const(wanted, value, at, _):
        return None if same(wanted, value) else f"{at}: not {wanted}"

    @staticmethod
    def of_pattern(wanted, value, at, _):
        return f"{at}: not like {wanted}" if isinstance(value, str) and not re.search(wanted, value) else None

    @staticmethod
    def of_format(wanted, value, at, _):
        pattern = {"uuid": UUID, "date-time": TIME}.get(wanted)
        return f"{at}: no {wanted}" if pattern and isinstance(value, str) and not pattern.match(value) else None

    of_minimum, of_maximum = bounds(is_number, lambda value: value, "small", "large")
    of_minLength, of_maxLength = bounds(lambda value: isinstance(value, str), len, "short", "long")
    of_minItems, of_maxItems = bounds(lambda value: isinstance(value, list), len, "few items", "many items")
    of_minProperties, of_maxProperties = bounds(lambda value: isinstance(value, dict), len, "few fields", "many fields")

    @staticmethod
    def of_required(wanted, value, at, _):
        missing = [name for name in wanted if name not in value] if isinstance(value, dict) else []
        return f"{pointer(at, missing[0])}: missing" if missing else None

    def first(self, pairs):
        return next((wrong for schema, value, at in pairs if (wrong := self.mismatch(schema, value, at))), None)

    def of_items(self, wanted, value, at, _):
        return self.first((wanted, item, f"{at}/{number}") for number, item in enumerate(value))

    def of_properties(self, wanted, value, at, _):
        if not isinstance(value, dict):
            return None
        return self.first((schema, value[name], pointer(at, name)) for name, schema in wanted.items() if name in value)

    def of_additionalProperties(self, wanted, value, at, schema):
        others = [name for name in value if name not in schema.get("properties", {})] if isinstance(value, dict) else []
        if wanted is False and others:
            return f"{pointer(at, others[0])}: not known"
        return self.first((wanted, value[name], pointer(at, name)) for name in others) if isinstance(wanted, dict) else None

    def of_allOf(self, wanted, value, at, _):
        return self.first((schema, value, at) for schema in wanted)

    def of_anyOf(self, wanted, value, at, _):
        wrongs = [self.mismatch(schema, value, at) for schema in wanted]
        return None if None in wrongs else f"{at}: fits no form: {max(wrongs, key=len)}"

    def of_oneOf(self, wanted, value, at, _):
        fitting = [self.mismatch(schema, value, at) for schema in wanted].count(None)
        return None if fitting == 1 else f"{at}: fits {fitting} forms instead of one"
