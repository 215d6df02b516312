"""What every plan must hold to, whoever wrote the configuration. A policy is a function of resources that returns findings; none means good.

`python3 -m policies PLAN.json` judges the output of `terraform show -json PLAN` (exit code 1 with findings), `PYTHONPATH=terraform:terraform/testing`.
"""

from policies import aws_identity, aws_network, aws_storage, deletion, tags

AWS = [
    tags.every_taggable_resource_has_all_tags,
    aws_network.nothing_is_open_to_the_internet,
    aws_network.subnets_give_no_public_addresses,
    aws_network.control_planes_are_private,
    aws_network.metadata_is_out_of_reach_of_pods,
    aws_storage.buckets_are_closed,
    aws_storage.buckets_take_tls_only,
    aws_storage.everything_is_encrypted,
    aws_storage.keys_are_rotated,
    aws_storage.archives_are_locked_and_versioned,
    aws_storage.images_are_immutable_and_scanned,
    aws_identity.nobody_has_everything,
    aws_identity.writes_name_their_resources,
    aws_identity.trust_is_narrow,
    aws_identity.there_are_no_long_lived_keys,
]


def judge(resources, policies):
    return [finding for policy in policies for finding in policy(resources)]


__all__ = ["AWS", "deletion", "judge"]
