"""The judge itself: what AWS documents about denials, absent keys and patterns."""

import unittest

from harness import iam


def allows(statement, action="s3:GetObject", resource="arn:aws:s3:::b/k", **context):
    keys = {key.replace("__", ":"): value for key, value in context.items()}
    return iam.is_allowed([{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}, statement]}], action, resource, keys)


def denied_if(condition):
    return {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition}


class Judge(unittest.TestCase):
    def test_nothing_is_allowed_by_silence_and_a_denial_wins(self):
        self.assertFalse(iam.is_allowed([{"Statement": []}], "s3:GetObject", "arn:aws:s3:::b/k"))
        self.assertFalse(allows(denied_if({})))

    def test_a_positive_operator_does_not_hold_for_an_absent_key(self):
        self.assertTrue(allows(denied_if({"StringEquals": {"s3:prefix": "a"}})))
        self.assertTrue(allows(denied_if({"NumericLessThan": {"s3:TlsVersion": "1.2"}})))

    def test_a_negated_operator_holds_for_an_absent_key(self):
        self.assertFalse(allows(denied_if({"StringNotEquals": {"s3:object-lock-mode": "COMPLIANCE"}})))

    def test_if_exists_holds_for_an_absent_key_in_denials_too(self):
        self.assertFalse(allows(denied_if({"StringNotEqualsIfExists": {"s3:object-lock-mode": "COMPLIANCE"}})))
        self.assertFalse(allows(denied_if({"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}})))

    def test_null_asks_for_the_key_itself(self):
        present = denied_if({"StringNotEquals": {"s3:object-lock-mode": "COMPLIANCE"}, "Null": {"s3:object-lock-mode": "false"}})
        self.assertTrue(allows(present))
        self.assertTrue(allows(present, **{"s3__object-lock-mode": "COMPLIANCE"}))
        self.assertFalse(allows(present, **{"s3__object-lock-mode": "GOVERNANCE"}))

    def test_of_several_values_one_is_enough_and_for_a_negation_none_may_match(self):
        either = denied_if({"StringEquals": {"k": ["a", "b"]}})
        self.assertFalse(allows(either, k="b"))
        neither = denied_if({"StringNotEquals": {"k": ["a", "b"]}})
        self.assertTrue(allows(neither, k="b"))
        self.assertFalse(allows(neither, k="c"))

    def test_numbers_are_compared_as_numbers(self):
        self.assertFalse(allows(denied_if({"NumericGreaterThan": {"days": "9"}}), days=10))
        self.assertTrue(allows(denied_if({"NumericGreaterThan": {"days": "9"}}), days=9))

    def test_patterns_span_slashes_and_actions_have_no_case(self):
        self.assertTrue(iam.is_like("arn:aws:s3:::b/*/control/*", "arn:aws:s3:::b/shop/rs0/control/x"))
        self.assertFalse(iam.is_like("arn:aws:s3:::b/*", "arn:aws:s3:::bb/x"))
        self.assertFalse(allows({"Effect": "Deny", "Action": "S3:getobject", "Resource": "*"}))

    def test_not_resource_is_everything_else(self):
        outside = {"Effect": "Deny", "Action": "*", "NotResource": "arn:aws:s3:::b/c/*"}
        self.assertFalse(allows(outside))
        self.assertTrue(allows(outside, resource="arn:aws:s3:::b/c/k"))

    def test_what_is_not_known_is_an_error(self):
        with self.assertRaises(NotImplementedError):
            allows(denied_if({"DateGreaterThan": {"aws:CurrentTime": "x"}}), **{"aws__CurrentTime": "y"})
        with self.assertRaises(NotImplementedError):
            iam.applies({"Effect": "Allow", "Action": "*", "Resource": "*", "NotPrincipal": "*"}, "a:b", "c", {})

    def test_a_resource_policy_speaks_of_the_principals_it_names(self):
        policy = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "logging.s3.amazonaws.com"}, "Action": "s3:PutObject", "Resource": "*"}]}
        self.assertTrue(iam.is_allowed([], "s3:PutObject", "x", resource_policy=policy, principal={"Service": "logging.s3.amazonaws.com"}))
        self.assertFalse(iam.is_allowed([], "s3:PutObject", "x", resource_policy=policy, principal={"Service": "other.amazonaws.com"}))


if __name__ == "__main__":
    unittest.main()
