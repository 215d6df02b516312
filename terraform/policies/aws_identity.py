"""Who may do what, and who may become whom."""

import re

from policies.look import documents, listed, of_kind

TOO_MUCH = {"AdministratorAccess", "PowerUserAccess", "IAMFullAccess", "AmazonS3FullAccess", "AmazonEC2ContainerRegistryFullAccess"}
READS = re.compile(r"^[a-z0-9-]+:(Get|List|Describe|BatchGet|BatchCheck)")
GITHUB = "token.actions.githubusercontent.com"
# Policies of a key say who uses that key: there `*` is the key itself. An endpoint's policy narrows, and gives nothing.
SPEAKS_OF_ITSELF = {"aws_kms_key", "aws_vpc_endpoint"}


def _allowing(resource):
    for attribute, document in documents(resource):
        for statement in listed(document["Statement"]):
            if statement["Effect"] == "Allow":
                yield attribute, statement


def _is_boundary(resource):
    """A boundary gives nothing: it is named by roles as such, and never attached."""
    return (resource.kind, resource.name) == ("aws_iam_policy", "boundary")


def nobody_has_everything(resources):
    boundaries = {one.values["name"] for one in resources if _is_boundary(one)}
    for one in resources:
        if _is_boundary(one):
            continue
        for attribute, statement in _allowing(one):
            if "NotAction" in statement or ("NotResource" in statement and attribute == "policy"):
                yield f"{one.address}: {statement.get('Sid')} allows everything but something"
            if one.kind in SPEAKS_OF_ITSELF:
                continue
            for action in listed(statement.get("Action", [])):
                if "*" in action:
                    yield f"{one.address}: {statement.get('Sid')} allows {action}"
    for one in of_kind(resources, "aws_iam_role_policy_attachment"):
        if str(one.values.get("policy_arn")).split("/")[-1] in TOO_MUCH | boundaries:
            yield f"{one.address}: {one.values['policy_arn']}"


def writes_name_their_resources(resources):
    for one in resources:
        if one.kind in SPEAKS_OF_ITSELF or _is_boundary(one):
            continue
        for attribute, statement in _allowing(one):
            if attribute != "policy" or statement.get("Condition") or "*" not in listed(statement.get("Resource", [])):
                continue
            for action in listed(statement["Action"]):
                if not READS.match(action):
                    yield f"{one.address}: {statement.get('Sid')} allows {action} on everything"


def trust_is_narrow(resources):
    for one in of_kind(resources, "aws_iam_role"):
        for attribute, statement in _allowing(one):
            if attribute != "assume_role_policy":
                continue
            principal = statement.get("Principal", "*")
            exact = statement.get("Condition", {}).get("StringEquals", {})
            if principal == "*" or "*" in [name for names in principal.values() for name in listed(names)]:
                yield f"{one.address}: everybody may take it"
            elif "Federated" in principal:
                if not exact.get(f"{GITHUB}:aud") or not exact.get(f"{GITHUB}:sub"):
                    yield f"{one.address}: does not pin audience and subject"
                if any("*" in subject for subject in listed(exact.get(f"{GITHUB}:sub", []))):
                    yield f"{one.address}: a pattern in StringEquals is a letter, not a pattern"
            elif "pods.eks.amazonaws.com" in listed(principal.get("Service", [])):
                keys = {key for block in statement.get("Condition", {}).values() for key in block}
                if not {"aws:SourceArn", "aws:RequestTag/kubernetes-namespace", "aws:RequestTag/kubernetes-service-account"} <= keys:
                    yield f"{one.address}: any pod of any cluster may take it"
            elif {"s3.amazonaws.com", "vpc-flow-logs.amazonaws.com", "eks.amazonaws.com"} & set(listed(principal.get("Service", []))):
                if not exact.get("aws:SourceAccount"):
                    yield f"{one.address}: the service may take it on behalf of another account"


def there_are_no_long_lived_keys(resources):
    for one in of_kind(resources, "aws_iam_user", "aws_iam_access_key"):
        yield f"{one.address}: a user with keys that nobody renews"
