"""A reader of PromQL: enough of the grammar to know what an expression selects and what it yields.

promtool is what decides whether an expression is right; this is for questions that promtool does not answer. `rewrite`
puts matchers into selectors, `parse` gives a tree to tests.
"""

import dataclasses
import re

TOKEN = re.compile(r"""
    (?P<space>\s+)
  | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
  | (?P<range>\[[^\]]*\])
  | (?P<duration>\d+(?:ms|[smhdwy])\b)
  | (?P<number>(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)
  | (?P<name>[a-zA-Z_:$][\w:$]*)
  | (?P<op>=~|!~|!=|==|>=|<=|[-+*/%^(){},<>=])
""", re.X)
AGGREGATIONS = {"sum", "min", "max", "avg", "count", "group", "topk", "bottomk", "stddev", "quantile"}
BINARY = [("or",), ("and", "unless"), ("==", "!=", "<=", "<", ">=", ">"), ("+", "-"), ("*", "/", "%"), ("^",)]


class PromqlError(Exception):
    """The expression is not understood; the message has it."""


def tokens(text):
    """(kind, text) of each token, white space apart."""
    position, found = 0, []
    while position < len(text):
        match = TOKEN.match(text, position)
        if not match:
            raise PromqlError(f"at {text[position:position + 20]!r} of {text!r}")
        if match.lastgroup != "space":
            found.append((match.lastgroup, match[0]))
        position = match.end()
    return found


@dataclasses.dataclass
class Number:
    value: float


@dataclasses.dataclass
class Selector:
    name: str
    matchers: list  # of (label, operator, value)
    range: str | None = None


@dataclasses.dataclass
class Call:
    function: str
    arguments: list


@dataclasses.dataclass
class Aggregation:
    function: str
    by: list | None
    arguments: list


@dataclasses.dataclass
class Binary:
    operator: str
    left: object
    right: object
    bool: bool
    on: list | None
    group: list | None  # labels of group_left; None: one to one


class Parser:
    def __init__(self, text):
        self.text, self.tokens, self.at = text, tokens(text), 0

    def peek(self):
        return self.tokens[self.at][1] if self.at < len(self.tokens) else None

    def take(self, wanted=None):
        if self.peek() is None or (wanted and self.peek() != wanted):
            raise PromqlError(f"{wanted or 'more'} expected, not {self.peek()}, in {self.text!r}")
        self.at += 1
        return self.tokens[self.at - 1]

    def accept(self, *words):
        if self.peek() in words:
            return self.take()[1]
        return None

    def whole(self):
        tree = self.binary(0)
        if self.peek() is not None:
            raise PromqlError(f"{self.peek()} left over in {self.text!r}")
        return tree

    def binary(self, level):
        if level == len(BINARY):
            return self.unary()
        left = self.binary(level + 1)
        while operator := self.accept(*BINARY[level]):
            is_bool, on, group = bool(self.accept("bool")), None, None
            if self.accept("on"):
                on = self.labels()
                if self.accept("group_left"):
                    group = self.labels() if self.peek() == "(" else []
            left = Binary(operator, left, self.binary(level + 1), is_bool, on, group)
        return left

    def unary(self):
        if self.accept("-"):
            return Binary("*", Number(-1), self.unary(), False, None, None)
        return self.operand()

    def operand(self):
        kind, text = self.take()
        if text == "(":
            tree = self.binary(0)
            self.take(")")
            return tree
        if kind == "number":
            return Number(float(text))
        if kind == "string":
            return text
        if kind != "name":
            raise PromqlError(f"{text} in {self.text!r}")
        if text in AGGREGATIONS:
            by = self.labels() if self.accept("by") else None
            arguments = self.arguments()
            return Aggregation(text, self.labels() if by is None and self.accept("by") else by, arguments)
        if self.peek() == "(":
            return Call(text, self.arguments())
        return self.selector(text)

    def selector(self, name):
        matchers = []
        if self.accept("{"):
            while not self.accept("}"):
                label, operator, value = (self.take()[1] for _ in range(3))
                matchers.append((label, operator, value[1:-1]))
                self.accept(",")
        found = Selector(name, matchers)
        if self.at < len(self.tokens) and self.tokens[self.at][0] == "range":
            found.range = self.take()[1][1:-1]
        if self.accept("offset"):
            self.take()
        return found

    def arguments(self):
        self.take("(")
        found = []
        while not self.accept(")"):
            found.append(self.binary(0))
            self.accept(",")
        return found

    def labels(self):
        self.take("(")
        found = []
        while not self.accept(")"):
            found.append(self.take()[1])
            self.accept(",")
        return found


def parse(text):
    return Parser(text).whole()


def walk(tree, parents=()):
    """Each node with its parents, outermost first."""
    yield tree, parents
    below = {Call: "arguments", Aggregation: "arguments"}.get(type(tree))
    children = getattr(tree, below) if below else [tree.left, tree.right] if isinstance(tree, Binary) else []
    for child in children:
        yield from walk(child, (*parents, tree))


def selectors(tree):
    return [node for node, _ in walk(tree) if isinstance(node, Selector)]


def rewrite(text, matchers_for):
    """The expression in one line, `matchers_for(name, given)` added to each selector of a metric.

    A selector is a name that the grammar does not know and that no bracket follows; `given` are matchers it has already.
    """
    parsed, written, at = tokens(text), [], 0
    while at < len(parsed):
        kind, word = parsed[at]
        at += 1
        if kind != "name" or not re.match(r"(tidemark|slo)[_:]|ALERTS$|up$", word):
            written.append(word)
            continue
        given = []
        if at < len(parsed) and parsed[at][1] == "{":
            end = next(index for index in range(at, len(parsed)) if parsed[index][1] == "}")
            inside = "".join(token for _, token in parsed[at + 1:end])
            given, at = [inside] if inside else [], end + 1
        matchers = given + [f'{label}=~"{value}"' for label, value in matchers_for(word, "".join(given))]
        written.append(word + ("{" + ",".join(matchers) + "}" if matchers else ""))
    return joined(written)


def joined(words):
    """Tokens as one writes them: no space inside of brackets and calls, one around operators."""
    line = ""
    for word in words:
        called = re.search(r"\w$", line) and word == "(" and not re.search(r"(\b(on|by|bool|or|and|unless|offset)|[-+*/<>=])$", line)
        glued = not line or line.endswith("(") or word in ")," or word.startswith("[") or called
        line += word if glued else f" {word}"
    return line
