"""Judges requests at Azure by role definitions and the conditions of their assignments (version 2.0), as data.

The part of the condition language that the modules use, exactly; anything else is an error and not a guess. Documented at
learn.microsoft.com/azure/role-based-access-control/conditions-format.
"""

import dataclasses
import re

TOKEN = re.compile(
    r"\s*(?:(?P<mark>[()!]|&&|\|\||AND\b|OR\b)"
    r"|ActionMatches\{'(?P<matches>[^']*)'\}"
    r"|(?P<attribute>@(?:Resource|Request|Principal|Environment)\[[^\]]*\])"
    r"\s+(?P<operator>[A-Za-z:]+)\s*(?P<value>'[^']*'|\{[^}]*\}))"
)


class Unreadable(Exception):
    """A condition that this reader does not understand."""


@dataclasses.dataclass(frozen=True)
class Grant:
    """A role as it is assigned at a scope."""

    actions: tuple
    condition: str | None = None

    @staticmethod
    def of(actions, condition=None):
        return Grant(tuple(actions), condition)


def matches(pattern, text):
    """StringLike: * is any run of characters, slashes included, ? is one."""
    return re.fullmatch("".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in pattern), text, re.S) is not None


def _tokens(condition):
    place = 0
    while condition[place:].strip():
        found = TOKEN.match(condition, place)
        if not found:
            raise Unreadable(condition[place : place + 60])
        place = found.end()
        yield found


class _Reader:
    def __init__(self, condition, action, attributes):
        self.tokens, self.at = list(_tokens(condition)), 0
        self.action, self.attributes = action, attributes

    def _mark(self):
        return self.tokens[self.at]["mark"] if self.at < len(self.tokens) else None

    def whole(self):
        value = self.either()
        if self.at != len(self.tokens):
            raise Unreadable(self.tokens[self.at][0])
        return value

    def either(self):
        value = self.both()
        while self._mark() in ("OR", "||"):
            self.at += 1
            value = self.both() or value
        return value

    def both(self):
        value = self.one()
        while self._mark() in ("AND", "&&"):
            self.at += 1
            value = self.one() and value
        return value

    def one(self):
        if self.at >= len(self.tokens):
            raise Unreadable("ends too early")
        token = self.tokens[self.at]
        self.at += 1
        if token["mark"] == "!":
            return not self.one()
        if token["mark"] == "(":
            value = self.either()
            if self._mark() != ")":
                raise Unreadable("a bracket is not closed")
            self.at += 1
            return value
        if token["matches"] is not None:
            return matches(token["matches"].lower(), self.action.lower())
        if token["attribute"]:
            return self.compare(token["attribute"], token["operator"], token["value"])
        raise Unreadable(token[0])

    def compare(self, attribute, operator, value):
        # An attribute that the request does not have makes the comparison false.
        known = self.attributes.get(attribute)
        if known is None:
            return False
        several = [one.strip().strip("'") for one in value.strip("{}").split(",")] if value.startswith("{") else [value.strip("'")]
        compare = {
            "StringLike": lambda one: matches(one, known),
            "StringEquals": lambda one: one == known,
            "ForAnyOfAnyValues:GuidEquals": lambda one: one.lower() == known.lower(),
            "ForAnyOfAnyValues:StringEqualsIgnoreCase": lambda one: one.lower() == known.lower(),
        }
        if operator not in compare:
            raise Unreadable(operator)
        return any(compare[operator](one) for one in several)


def holds(condition, action, attributes):
    return _Reader(condition, action, attributes).whole()


def is_allowed(grants, action, attributes):
    """Whether any grant allows the action; rights add up, and there is no refusal that takes one away."""
    return any(
        any(matches(allowed.lower(), action.lower()) for allowed in grant.actions) and (grant.condition is None or holds(grant.condition, action, attributes))
        for grant in grants
    )
