"""The roles of pipelines on AWS as they are at worst: with a policy that gives everything, their own, and the boundary."""

from aws_environments import environment, one_of
from harness import iam

EVERYTHING = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


def boundary(role, name="prod"):
    return one_of(environment(name)["00-bootstrap"].made, "aws_iam_policy", "boundary", role).document("policy")


def grants(name="prod"):
    return [one_of(environment(name)["00-bootstrap"].made, "aws_iam_policy", "grant", part).document("policy") for part in ("cluster", "data")]


def own(role):
    return one_of(environment("prod")["00-bootstrap"].made, "aws_iam_role_policy", "this", role).document("policy")


def may(role, action, resource, context=()):
    # A boundary and an identity's policies are asked each for itself, and both have to say yes.
    return iam.is_allowed([EVERYTHING, own(role)], action, resource, context) and iam.is_allowed([boundary(role)], action, resource, context)
