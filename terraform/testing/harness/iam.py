"""Judges requests by IAM policies, as values: no account, no simulator of a cloud.

As AWS evaluates within one account: an explicit denial wins, then a permission of the identity or of the resource's policy; else no. Operators and their
treatment of absent keys follow the IAM user guide, "IAM JSON policy elements: Condition operators": a positive operator does not hold for an absent
key, a negated one does, and with IfExists each holds. What is not known here is an error, and never silently true.
"""

import functools
import re

NEGATED = {"StringNotEquals": "StringEquals", "StringNotLike": "StringLike", "ArnNotEquals": "ArnEquals", "ArnNotLike": "ArnLike"}


def listed(value):
    return value if isinstance(value, list) else [value]


def is_like(pattern, text, ignore_case=False):
    """`*` stands for anything, slashes included, `?` for one character."""
    return _expression(pattern, ignore_case).fullmatch(text) is not None


@functools.lru_cache(maxsize=None)
def _expression(pattern, ignore_case):
    return re.compile("".join(".*" if char == "*" else "." if char == "?" else re.escape(char) for char in pattern), re.S | (re.I if ignore_case else 0))


def _holds(operator, given, wanted):
    if operator in ("StringEquals",):
        return given == wanted
    # Arn operators compare part by part; patterns here have no colons in place of a star, for which that would differ.
    if operator in ("StringLike", "ArnEquals", "ArnLike"):
        return is_like(wanted, given)
    if operator == "Bool":
        return given.lower() == wanted.lower()
    if operator == "NumericLessThan":
        return float(given) < float(wanted)
    if operator == "NumericGreaterThan":
        return float(given) > float(wanted)
    raise NotImplementedError(f"condition operator {operator}")


def condition_holds(conditions, context):
    """All operators and keys must hold; of the values of a key, one."""
    context = {key.lower(): value for key, value in context.items()}
    for written, keys in conditions.items():
        operator, if_exists = written.removesuffix("IfExists"), written.endswith("IfExists")
        for key, wanted in keys.items():
            given = context.get(key.lower())
            values = [str(one).lower() if isinstance(one, bool) else str(one) for one in listed(wanted)]
            if operator == "Null":
                if (given is None) != (values[0] == "true"):
                    return False
            elif given is None:
                if not if_exists and operator not in NEGATED:
                    return False
            else:
                positive = NEGATED.get(operator, operator)
                found = any(_holds(positive, str(given), one) for one in values)
                if found == (operator in NEGATED):
                    return False
    return True


def applies(statement, action, resource, context):
    known = {"Sid", "Effect", "Principal", "Action", "NotAction", "Resource", "NotResource", "Condition"}
    if set(statement) - known:
        raise NotImplementedError(f"statement elements {sorted(set(statement) - known)}")
    if "Action" in statement:
        acted = any(is_like(one, action, ignore_case=True) for one in listed(statement["Action"]))
    else:
        acted = not any(is_like(one, action, ignore_case=True) for one in listed(statement["NotAction"]))
    if "Resource" in statement:
        meant = any(is_like(one, resource) for one in listed(statement["Resource"]))
    elif "NotResource" in statement:
        meant = not any(is_like(one, resource) for one in listed(statement["NotResource"]))
    else:
        meant = True  # trust policies
    return acted and meant and condition_holds(statement.get("Condition", {}), context)


def _names(statement, principal):
    named = statement.get("Principal", {})
    if named == "*":
        return True
    return any(one == "*" or one == principal.get(kind) for kind, ones in named.items() for one in listed(ones))


def is_allowed(identity, action, resource, context=(), resource_policy=None, principal=()):
    """Whether the policies (a list of documents) of an identity, and the resource's own, let the request through."""
    context, principal = dict(context), dict(principal)
    statements = [one for document in identity for one in listed(document["Statement"])]
    statements += [one for one in listed((resource_policy or {"Statement": []})["Statement"]) if _names(one, principal)]
    effects = {one["Effect"] for one in statements if applies(one, action, resource, context)}
    return "Deny" not in effects and "Allow" in effects


def trusts(document, action, principal, context):
    """Whether a trust policy lets a principal, {"Service": …} or {"Federated": …}, take the role."""
    statements = [one for one in listed(document["Statement"]) if _names(one, principal)]
    effects = {one["Effect"] for one in statements if applies(one, action, "", context)}
    return "Deny" not in effects and "Allow" in effects
