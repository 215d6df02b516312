"""Where data lies: closed, encrypted, locked, kept."""

from harness.iam import is_allowed
from policies.look import blocks, documents, is_given, of_kind

SWITCHES = ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets")


def _beside(resources, kind):
    """Resources that configure buckets, by the bucket's name."""
    return {one.values.get("bucket"): one for one in of_kind(resources, kind)}


def _is_archive(bucket):
    name = bucket.values["bucket"]
    return "-archive" in name and not name.endswith("-logs")


def buckets_are_closed(resources):
    blocked = _beside(resources, "aws_s3_bucket_public_access_block")
    owned = _beside(resources, "aws_s3_bucket_ownership_controls")
    for one in of_kind(resources, "aws_s3_bucket"):
        block = blocked.get(one.values["bucket"])
        if block is None or not all(block.values.get(switch) for switch in SWITCHES):
            yield f"{one.address}: public access is not blocked in all four ways"
        controls = owned.get(one.values["bucket"])
        if controls is None or [rule.get("object_ownership") for rule in blocks(controls.values, "rule")] != ["BucketOwnerEnforced"]:
            yield f"{one.address}: ACLs are in force"
        if one.values.get("force_destroy"):
            yield f"{one.address}: would be deleted with what is in it"


def buckets_take_tls_only(resources):
    policies = _beside(resources, "aws_s3_bucket_policy")
    everybody = [{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}]
    for one in of_kind(resources, "aws_s3_bucket"):
        name = one.values["bucket"]
        policy = policies.get(name)
        if policy is None:
            yield f"{one.address}: has no policy"
            continue
        for _, document in documents(policy):
            for resource, action in ((f"arn:aws:s3:::{name}", "s3:ListBucket"), (f"arn:aws:s3:::{name}/k", "s3:GetObject")):
                if is_allowed(everybody, action, resource, {"aws:SecureTransport": "false"}, document):
                    yield f"{one.address}: answers without TLS"
            if any(statement["Effect"] == "Allow" and statement.get("Principal") in ("*", {"AWS": "*"}) for statement in document["Statement"]):
                yield f"{one.address}: its policy lets everybody in"


def everything_is_encrypted(resources):
    encryption = _beside(resources, "aws_s3_bucket_server_side_encryption_configuration")
    for one in of_kind(resources, "aws_s3_bucket"):
        beside = encryption.get(one.values["bucket"])
        ways = [] if beside is None else blocks(beside.values, "rule", "apply_server_side_encryption_by_default")
        algorithms = {way.get("sse_algorithm") for way in ways}
        # Log delivery knows Amazon's own key only.
        wanted = {"AES256"} if one.values["bucket"].endswith("-logs") else {"aws:kms"}
        if algorithms != wanted:
            yield f"{one.address}: is encrypted with {', '.join(sorted(map(str, algorithms))) or 'nothing that is named'}"
    for one in of_kind(resources, "aws_eks_cluster"):
        if not any("secrets" in (block.get("resources") or []) for block in blocks(one.values, "encryption_config")):
            yield f"{one.address}: Secrets lie in the clear in etcd"
    for one in of_kind(resources, "aws_launch_template"):
        if not all(str(disk.get("encrypted")).lower() == "true" for disk in blocks(one.values, "block_device_mappings", "ebs")):
            yield f"{one.address}: disks of nodes are not encrypted"
    for one in of_kind(resources, "aws_ecr_repository"):
        if [block.get("encryption_type") for block in blocks(one.values, "encryption_configuration")] != ["KMS"]:
            yield f"{one.address}: images are not encrypted with an own key"
    for kind, attribute in (("aws_cloudwatch_log_group", "kms_key_id"), ("aws_sns_topic", "kms_master_key_id")):
        for one in of_kind(resources, kind):
            if not is_given(one, attribute):
                yield f"{one.address}: is not encrypted with an own key"
    for one in of_kind(resources, "aws_cloudwatch_log_group"):
        if not one.values.get("retention_in_days"):
            yield f"{one.address}: keeps logs for ever"


def keys_are_rotated(resources):
    for one in of_kind(resources, "aws_kms_key"):
        if not one.values.get("enable_key_rotation"):
            yield f"{one.address}: is never rotated"
        if (one.values.get("deletion_window_in_days") or 30) < 30:
            yield f"{one.address}: is gone after less than 30 days, and all that it encrypts with it"


def archives_are_locked_and_versioned(resources):
    versioning = _beside(resources, "aws_s3_bucket_versioning")
    locks = _beside(resources, "aws_s3_bucket_object_lock_configuration")
    lives = _beside(resources, "aws_s3_bucket_lifecycle_configuration")
    for one in of_kind(resources, "aws_s3_bucket"):
        name = one.values["bucket"]
        states = [] if name not in versioning else blocks(versioning[name].values, "versioning_configuration")
        if [state.get("status") for state in states] != ["Enabled"]:
            yield f"{one.address}: keeps no versions"
        if _is_archive(one) and not one.values.get("object_lock_enabled"):
            yield f"{one.address}: an archive without Object Lock"
        if one.values.get("object_lock_enabled") and (name not in locks or locks[name].values.get("object_lock_enabled") != "Enabled"):
            yield f"{one.address}: its lock is not configured"
        rules = [] if name not in lives else blocks(lives[name].values, "rule")
        if not any(blocks(rule, "abort_incomplete_multipart_upload") for rule in rules):
            yield f"{one.address}: unfinished uploads stay and are paid for"
        if _is_archive(one) and any(expiration.get("days") for rule in rules for expiration in blocks(rule, "expiration")):
            yield f"{one.address}: a lifecycle rule deletes what retention keeps"
    for one in of_kind(resources, "aws_s3_bucket_replication_configuration"):
        for rule in blocks(one.values, "rule"):
            if [block.get("status") for block in blocks(rule, "delete_marker_replication")] != ["Disabled"]:
                yield f"{one.address}: replicates deletions"


def images_are_immutable_and_scanned(resources):
    for one in of_kind(resources, "aws_ecr_repository"):
        if one.values.get("image_tag_mutability") != "IMMUTABLE":
            yield f"{one.address}: tags can be moved"
        if not any(block.get("scan_on_push") for block in blocks(one.values, "image_scanning_configuration")):
            yield f"{one.address}: images are not scanned"
        if one.values.get("force_delete"):
            yield f"{one.address}: would be deleted with its images"
