"""Who may take which role on AWS: pods, jobs of pipelines, services."""

import unittest

import workflows
from aws_environments import ACCOUNT, ENVIRONMENTS, LAYERS, environment, one_of
from harness import iam

GITHUB = "token.actions.githubusercontent.com"


# Namespace and service account of the pod that each role is for.
PODS = {
    **{
        f"{tenant}-{role}": (tenant, account)
        for tenant in ("shop", "bakery")
        for role, account in {"writer": f"{tenant}-mongodb", "reader": "tidemark-reader", "expirer": "tidemark-expirer"}.items()
    },
    "alb-controller": ("kube-system", "aws-load-balancer-controller"),
    "cluster-autoscaler": ("kube-system", "cluster-autoscaler"),
    "vpc-cni": ("kube-system", "aws-node"),
    "aws-ebs-csi-driver": ("kube-system", "ebs-csi-controller-sa"),
}


def trusting(service):
    """Trust policies that name a service, by the name of the role, in all layers of prod."""
    roles = [one for layer in LAYERS for one in environment("prod")[layer].made if one.kind == "aws_iam_role"]
    trusts = {one.values["name"]: one.document("assume_role_policy") for one in roles}
    return {name: trust for name, trust in trusts.items() if any(statement["Principal"].get("Service") == service for statement in trust["Statement"])}


class Services(unittest.TestCase):
    def takes(self, trust, service, context):
        return iam.trusts(trust, "sts:AssumeRole", {"Service": service}, context)

    def is_for(self, trust, service, right, *wrong):
        """Taken with what is right, and neither with one thing wrong nor with one missing."""
        self.assertTrue(self.takes(trust, service, right))
        for key, other in wrong:
            self.assertFalse(self.takes(trust, service, right | {key: other}), f"{key} = {other}")
            self.assertFalse(self.takes(trust, service, {name: value for name, value in right.items() if name != key}), f"without {key}")
        self.assertFalse(self.takes(trust, "lambda.amazonaws.com", right), "another service")

    def test_a_role_of_a_pod_is_for_one_account_of_one_namespace_of_one_cluster(self):
        cluster = environment("prod")["20-cluster"].outputs["cluster"]
        roles = {name.removeprefix(f"{cluster['name']}-"): trust for name, trust in trusting("pods.eks.amazonaws.com").items()}
        self.assertEqual(roles.keys(), PODS.keys())
        for name, (namespace, account) in PODS.items():
            right = {
                "aws:SourceArn": cluster["arn"], "aws:SourceAccount": ACCOUNT,
                "aws:RequestTag/kubernetes-namespace": namespace, "aws:RequestTag/kubernetes-service-account": account,
            }  # fmt: skip
            with self.subTest(name):
                self.is_for(
                    roles[name], "pods.eks.amazonaws.com", right,
                    ("aws:SourceArn", cluster["arn"] + "-other"), ("aws:SourceAccount", "999999999999"),
                    ("aws:RequestTag/kubernetes-namespace", "default"), ("aws:RequestTag/kubernetes-service-account", "default"),
                )  # fmt: skip

    def test_a_service_takes_a_role_on_behalf_of_this_account_only(self):
        archive = "arn:aws:s3:::acme-tidemark-prod-euc1-archive"
        for service, sources in {
            "eks.amazonaws.com": [],
            "vpc-flow-logs.amazonaws.com": [],
            "s3.amazonaws.com": [("aws:SourceArn", f"{archive}-logs"), ("aws:SourceArn", "arn:aws:s3:::acme-tidemark-prod-euc1-state")],
        }.items():
            with self.subTest(service):
                [trust] = trusting(service).values()
                self.is_for(trust, service, {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": archive}, ("aws:SourceAccount", "999999999999"), *sources)


class Jobs(unittest.TestCase):
    def test_a_pipeline_gets_the_role_of_its_job_and_no_other(self):
        made = environment("prod")["00-bootstrap"].made
        roles = {role: one_of(made, "aws_iam_role", "this", role).document("assume_role_policy") for role in ("plan", "apply", "push", "drill")}
        repository = "repo:example/tidemark"
        jobs = {
            **{f"{repository}:environment:{name}": {role} for role, name in workflows.environments("aws", "prod").items()},
            f"{repository}:pull_request": set(),
            f"{repository}:ref:refs/heads/main": set(),
            f"{repository}:ref:refs/heads/feature": set(),
            f"{repository}:environment:aws-prod-2": set(),
            f"{repository}:environment:aws-staging-plan": set(),
            f"{repository}:environment:drill-aws-staging": set(),
            f"{repository}:environment:drill-azure-prod": set(),
            f"{repository}:environment:release-azure": set(),
            "repo:example/other:environment:aws-prod": set(),
            "repo:someone/tidemark:environment:aws-prod": set(),
        }
        [federated] = {statement["Principal"]["Federated"] for document in roles.values() for statement in document["Statement"]}
        for subject, expected in jobs.items():
            context = {f"{GITHUB}:sub": subject, f"{GITHUB}:aud": "sts.amazonaws.com", f"{GITHUB}:repository_id": "123456789"}
            got = {role for role, document in roles.items() if iam.trusts(document, "sts:AssumeRoleWithWebIdentity", {"Federated": federated}, context)}
            self.assertEqual(got, expected, subject)
            for key, other in ((f"{GITHUB}:aud", "https://github.com/example"), (f"{GITHUB}:repository_id", "1")):
                wrong = context | {key: other}
                self.assertFalse(any(iam.trusts(one, "sts:AssumeRoleWithWebIdentity", {"Federated": federated}, wrong) for one in roles.values()), key)

    def test_a_role_to_drill_with_is_there_where_the_workflow_drills(self):
        for name in ENVIRONMENTS:
            roles = {one.address.split('"')[1]: one for one in environment(name)["00-bootstrap"].made if (one.kind, one.name) == ("aws_iam_role", "this")}
            self.assertEqual("drill" in roles, ("aws", name) in workflows.drills(), name)
            self.assertEqual({role: one.values["max_session_duration"] for role, one in roles.items() if role != "drill"}, dict.fromkeys(roles.keys() - {"drill"}, 3600))
            if "drill" in roles:
                self.assertEqual(roles["drill"].values["max_session_duration"], workflows.seconds_of_a_drill())


if __name__ == "__main__":
    unittest.main()
