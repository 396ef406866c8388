"""Evaluates the part of GitHub's workflow expressions that the action and the examples use."""

import json
import re

TOKEN = re.compile(r"""\s*(?:
    (?P<string>'(?:[^']|'')*')
  | (?P<number>-?\d+(?:\.\d+)?)
  | (?P<operator>\|\||&&|==|!=|<=|>=|<|>|!|\(|\)|\[|\]|\.|,)
  | (?P<name>[A-Za-z_][A-Za-z0-9_-]*)
)""", re.VERBOSE)


def text(value):
    """Returns the value as the runner writes it into a string."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, dict):
        return "Object"
    if isinstance(value, list):
        return "Array"
    return str(value)


def is_true(value):
    return value not in (None, False, 0, "")


def number(value):
    if value is None or value == "":
        return 0.0
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")


def equal(left, right):
    if isinstance(left, str) and isinstance(right, str):
        return left.lower() == right.lower()
    if type(left) is type(right):
        return left == right
    return number(left) == number(right)


class Expression:
    """One expression, which is evaluated while it is parsed."""

    def __init__(self, source, contexts, functions):
        self.tokens = []
        position = 0
        source = source.strip()
        while position < len(source):
            match = TOKEN.match(source, position)
            if not match:
                raise ValueError(f"cannot read the expression: {source[position:]}")
            self.tokens.append((match.lastgroup, match.group(match.lastgroup)))
            position = match.end()
        self.contexts, self.functions = contexts, functions

    def value(self):
        value = self.either()
        if self.tokens:
            raise ValueError(f"unexpected in an expression: {self.tokens[0][1]}")
        return value

    def take(self, *operators):
        if self.tokens and self.tokens[0][0] == "operator" and self.tokens[0][1] in operators:
            return self.tokens.pop(0)[1]
        return None

    def need(self, operator):
        if not self.take(operator):
            raise ValueError(f"{operator} is missing in an expression")

    def either(self):
        value = self.both()
        while self.take("||"):
            other = self.both()
            value = value if is_true(value) else other
        return value

    def both(self):
        value = self.comparison()
        while self.take("&&"):
            other = self.comparison()
            value = other if is_true(value) else value
        return value

    def comparison(self):
        value = self.unary()
        while operator := self.take("==", "!=", "<=", ">=", "<", ">"):
            other = self.unary()
            if operator in ("==", "!="):
                value = equal(value, other) == (operator == "==")
            else:
                left, right = number(value), number(other)
                value = {"<": left < right, ">": left > right, "<=": left <= right, ">=": left >= right}[operator]
        return value

    def unary(self):
        if self.take("!"):
            return not is_true(self.unary())
        return self.primary()

    def primary(self):
        if self.take("("):
            value = self.either()
            self.need(")")
            return value
        if not self.tokens:
            raise ValueError("an expression ends too early")
        kind, token = self.tokens.pop(0)
        if kind == "string":
            return token[1:-1].replace("''", "'")
        if kind == "number":
            return float(token)
        if kind != "name":
            raise ValueError(f"unexpected in an expression: {token}")
        if token in ("true", "false", "null"):
            return {"true": True, "false": False, "null": None}[token]
        if self.take("("):
            return self.call(token)
        if token not in self.contexts:
            raise ValueError(f"unknown context {token}")
        return self.path(self.contexts[token])

    def call(self, name):
        arguments = []
        while not self.take(")"):
            arguments.append(self.either())
            self.take(",")
        if name not in self.functions:
            raise ValueError(f"unknown function {name}")
        return self.functions[name](*arguments)

    def path(self, value):
        while True:
            if self.take("."):
                key = self.tokens.pop(0)[1]
            elif self.take("["):
                key = self.either()
                self.need("]")
            else:
                return value
            value = member(value, key)


def member(value, key):
    if isinstance(value, list):
        index = number(key)
        return value[int(index)] if 0 <= index < len(value) else None
    if not isinstance(value, dict):
        return None
    for name, found in value.items():
        if str(name).lower() == text(key).lower():
            return found
    return None


def contains(place, item):
    if isinstance(place, list):
        return any(equal(entry, item) for entry in place)
    return text(item).lower() in text(place).lower()


def place_in(pattern, *arguments):
    return re.sub(r"\{(\d+)\}", lambda match: text(arguments[int(match[1])]), pattern)


FUNCTIONS = {
    "contains": contains,
    "startsWith": lambda value, start: text(value).lower().startswith(text(start).lower()),
    "endsWith": lambda value, end: text(value).lower().endswith(text(end).lower()),
    "format": place_in,
    "toJSON": lambda value: json.dumps(value, indent=2),
    "fromJSON": lambda value: json.loads(value),
}


def evaluate(source, contexts, functions=None):
    return Expression(source, contexts, {**FUNCTIONS, **(functions or {})}).value()


def fill(source, contexts, functions=None):
    """Returns the string with each `${{ }}` replaced by its value."""
    if not isinstance(source, str):
        return text(source)
    return re.sub(r"\$\{\{(.*?)\}\}", lambda match: text(evaluate(match[1], contexts, functions)), source, flags=re.DOTALL)
