"""The log collector: real lines of mongod, the API and the sidecar through the real program with the chart's configuration."""

import base64
import json
import os
import random
import string
import unittest

import yaml

import collector
from collector import Collector, Sink, configuration, merged, recorded, wait_until
from repository import ROOT, run

SEVERITY = {"F": 21, "E": 17, "W": 13, "I": 9, "D1": 8, "D2": 7, "D3": 6, "D4": 5, "D5": 1}
PINO = {"trace": 1, "debug": 5, "info": 9, "warn": 13, "error": 17, "fatal": 21}
# What was put into the databases when the lines were recorded, and passwords of then.
LITERALS = ("literal", "Recorded-Pw", "Wrong-Pw", "biws")
SEED = int(os.environ.get("TIDEMARK_SEED", "20261129"))


class Configuration(unittest.TestCase):
    def validated(self, values):
        text = configuration(merged(collector.LOKI, values))
        done = run(collector.COLLECTOR, "validate", "--config", f"yaml:{text}", env={**os.environ, **collector.ENVIRONMENT})
        return done.returncode, done.stdout + done.stderr

    def test_the_program_accepts_each_sink(self):
        for name, sinks in {
            "loki": {"loki": {"tenant": "shop"}},
            "otlp": {"otlp": {"endpoint": "https://otel.example:4318", "headers": {"authorization": "Bearer ${env:OTLP_TOKEN}"}}},
            "otlp over grpc": {"otlp": {"endpoint": "grpc://otel.example:4317"}},
            "cloudwatch": {"cloudwatch": {"region": "eu-central-1", "logGroup": "/tidemark/prod", "logStream": "nodes"}},
            "log analytics": {"logAnalytics": {"existingSecret": "insights"}},
            "debug": {"debug": True},
        }.items():
            with self.subTest(name):
                self.assertEqual(self.validated({"sinks": sinks}), (0, ""))

    def test_the_program_accepts_the_values_of_each_place(self):
        for path in sorted((ROOT / "charts/values").glob("*/log-collector.yaml")):
            with self.subTest(path.parent.name):
                self.assertEqual(self.validated(yaml.safe_load(path.read_text())), (0, ""))

    def test_the_program_refuses_what_it_does_not_know(self):
        text = configuration(collector.LOKI).replace("block_on_overflow", "block_when_full", 1)
        done = run(collector.COLLECTOR, "validate", "--config", f"yaml:{text}", env={**os.environ, **collector.ENVIRONMENT})
        self.assertIn("block_when_full", done.stdout + done.stderr)
        code, said = self.validated({"redaction": {"extra": [{"pattern": "(", "replacement": ""}]}})
        self.assertNotEqual(code, 0)
        self.assertIn("missing closing", said)


class Recorded(unittest.TestCase):
    """All recorded lines, once."""

    @classmethod
    def setUpClass(cls):
        cls.lines = {name: recorded(name) for name in ("mongod", "api", "sidecar")}
        place = Collector(cls, {"minimumSeverity": "trace", "cluster": "test"})
        place.pods.write("mongod", cls.lines["mongod"])
        place.pods.write("api", cls.lines["api"], pod="shop-orders-api-5d8f-x")
        place.pods.write("sidecar", cls.lines["sidecar"])
        place.pods.write("istio-proxy", ["nobody reads this"])
        place.pods.write("mongod", ["usage: something is wrong with the options"], stream="stderr", name="1.log")
        cls.count = sum(map(len, cls.lines.values())) + 1
        with place.running():
            found = place.wait(cls.count)
        cls.raw, cls.said = place.output.read_text(), place.said()
        cls.found = {container: [each for each in found if each["resource"]["k8s.container.name"] == container] for container in ("mongod", "api", "sidecar")}
        cls.all = found

    def pairs(self, container):
        """(line, its record): lines of one file stay in order."""
        records = [each for each in self.found[container] if each["attributes"]["log.iostream"] == "stdout"]
        self.assertEqual(len(records), len(self.lines[container]))
        return [(json.loads(line), record) for line, record in zip(self.lines[container], records)]

    def test_every_line_comes_once_and_no_other(self):
        self.assertEqual(len(self.all), self.count)
        self.assertNotIn("nobody reads this", self.raw)

    def test_records_say_where_they_are_from(self):
        for each in self.found["api"]:
            self.assertEqual(
                each["resource"],
                {
                    "k8s.namespace.name": "tenant-shop",
                    "k8s.pod.name": "shop-orders-api-5d8f-x",
                    "k8s.pod.uid": "8a1e3c1e-0000-4000-8000-000000000001",
                    "k8s.container.name": "api",
                    "k8s.container.restart_count": "0",
                    "k8s.node.name": "node-1",
                    "k8s.cluster.name": "test",
                    "service.name": "api",
                },
            )

    def test_severities_are_those_of_mongod(self):
        for line, record in self.pairs("mongod"):
            self.assertEqual(record["severity"], SEVERITY[line["s"]], line)
        self.assertLessEqual({"F", "E", "W", "I", "D1", "D2", "D3"}, {line["s"] for line, _ in self.pairs("mongod")})

    def test_severities_are_those_of_the_programs(self):
        for container in ("api", "sidecar"):
            levels = set()
            for line, record in self.pairs(container):
                levels.add(line["level"].lower())
                self.assertEqual(record["severity"], PINO[line["level"].lower()], line)
            self.assertLessEqual({"info", "warn"}, levels)

    def test_the_body_is_the_message_and_the_rest_is_beside_it(self):
        for line, record in self.pairs("mongod"):
            self.assertEqual(record["body"], line["msg"])
            self.assertEqual((record["attributes"]["mongodb.component"], record["attributes"]["mongodb.context"]), (line["c"], line["ctx"]))
            self.assertEqual(record["attributes"]["mongodb.id"], line["id"])
        for line, record in self.pairs("api"):
            self.assertEqual(record["body"], line["msg"])
            for key in {"request_id", "status", "elapsed_ms", "route"} & set(line):
                self.assertEqual(record["attributes"][f"app.{key}"], line[key])
        for line, record in self.pairs("sidecar"):
            self.assertEqual((record["body"], record["attributes"]["app.event"]), (line["message"], line["event"]))

    def test_what_is_slow_can_be_found(self):
        slow = [(line["attr"], record["attributes"]) for line, record in self.pairs("mongod") if line["msg"] == "Slow query"]
        self.assertGreater(len(slow), 10)
        for said, kept in slow:
            for key in {"ns", "durationMillis", "planSummary", "docsExamined", "queryHash", "errName", "type"} & set(said):
                self.assertEqual(kept[f"mongodb.{key}"], said[key])
            self.assertEqual(kept["mongodb.commandName"], next(iter(said["command"])) if "command" in said else None)

    def test_what_went_wrong_can_be_read(self):
        kept = {record["body"]: record["attributes"] for _, record in self.pairs("mongod")}
        self.assertEqual(kept["Authentication failed"]["mongodb.error"][:21], "AuthenticationFailed:")
        self.assertIn("NonExistentPath: Data directory", kept["DBException in initAndListen, terminating"]["mongodb.error"])
        self.assertEqual(kept["Assertion while executing command"]["mongodb.error"].split(":")[0], kept["Assertion while executing command"]["mongodb.error"])

    def test_what_mongod_says_before_its_log_begins_is_kept(self):
        (early,) = [each for each in self.found["mongod"] if each["attributes"]["log.iostream"] == "stderr"]
        self.assertEqual(early["body"], "usage: something is wrong with the options")

    def test_no_data_of_users_survives(self):
        source = "\n".join(line for lines in self.lines.values() for line in lines)
        for literal in LITERALS[:1]:
            self.assertGreater(source.count(literal), 15, "the recording holds too little to prove anything")
        for literal in LITERALS:
            self.assertNotIn(literal, self.raw)

    def test_the_program_itself_repeats_no_line(self):
        for literal in LITERALS:
            self.assertNotIn(literal, self.said)

    def test_no_attribute_is_there_that_was_not_chosen(self):
        keep = {name for group in yaml.safe_load((ROOT / "charts/log-collector/values.yaml").read_text())["redaction"]["keep"] for name in group.split("|")}
        keep |= {"component", "id", "context", "commandName"}
        for each in self.found["mongod"]:
            names = {name.split(".")[1] for name in each["attributes"] if name.startswith("mongodb.")}
            self.assertLessEqual(names, keep)


class Choices(unittest.TestCase):
    def collected(self, values, lines, count, container="mongod", **options):
        place = Collector(self, values)
        place.pods.write(container, lines, **options)
        with place.running():
            return place.wait(count)

    def test_literals_stay_when_that_is_asked_for(self):
        lines = [line for line in recorded("mongod") if "literal-3@example.com" in line]
        found = self.collected({"redaction": {"queryLiterals": "keep"}, "minimumSeverity": "trace"}, lines, len(lines))
        self.assertIn("literal-3@example.com", json.dumps(found))

    def test_less_severe_lines_are_left_out(self):
        lines = recorded("mongod")
        wanted = [line for line in lines if SEVERITY[json.loads(line)["s"]] >= 13]
        found = self.collected({"minimumSeverity": "warn"}, lines, len(wanted))
        self.assertEqual(sorted(each["body"] for each in found), sorted(json.loads(line)["msg"] for line in wanted))

    def test_a_line_in_pieces_is_one_record(self):
        lines = recorded("mongod")[:5]
        found = self.collected({"minimumSeverity": "trace"}, lines, 5, pieces=7)
        self.assertEqual([each["body"] for each in found], [json.loads(line)["msg"] for line in lines])

    def test_a_line_of_mongod_that_is_not_whole_is_withheld(self):
        line = next(line for line in recorded("mongod") if "literal-3@example.com" in line)
        found = self.collected({}, [line[:-40], line[90:], "literal without anything", line], 4)
        self.assertNotIn("literal", json.dumps(found))
        self.assertEqual([each["attributes"].get("tidemark.withheld", False) for each in found], [True, True, True, False])

    def test_a_line_that_is_no_json_any_more_is_withheld(self):
        """What is left of it may be the rest of a secret."""
        extra = [{"pattern": '"half":"', "replacement": ""}]
        lines = ['{"level":"warn","msg":"m","half":"literal"}', '{"level":"info","msg":"whole"}', "no JSON, before and after", '{"level":"warn","msg":"cut before']
        for container in ("api", "sidecar"):
            with self.subTest(container):
                found = self.collected({"redaction": {"extra": extra}}, lines, 4, container=container)
                self.assertEqual([each["attributes"].get("tidemark.withheld", False) for each in found], [True, False, False, False])
                self.assertEqual([each["body"] for each in found], ["a line that was not whole without its secrets was withheld", "whole", *lines[2:]])
                self.assertNotIn("literal", json.dumps(found))

    def test_a_line_of_mongod_that_is_no_json_any_more_is_withheld_when_literals_stay(self):
        line = next(line for line in recorded("mongod") if "literal-3@example.com" in line)
        values = {"redaction": {"queryLiterals": "keep", "extra": [{"pattern": '"attr":', "replacement": ""}]}}
        (found,) = self.collected(values, [line], 1)
        self.assertNotIn("literal", json.dumps(found))

    def test_patterns_of_ones_own(self):
        extra = [{"pattern": "(iban )[A-Z]{2}[0-9]+", "replacement": "$1***"}]
        (found,) = self.collected({"containers": {"web": "text"}, "redaction": {"extra": extra}}, ["paid to iban DE02120300000000202051 today"], 1, container="web")
        self.assertEqual(found["body"], "paid to iban *** today")

    def test_only_the_namespaces_that_are_named(self):
        place = Collector(self, {"namespaces": ["tenant-*"]})
        place.pods.write("api", recorded("api")[:1], namespace="tenant-books")
        place.pods.write("api", recorded("api")[1:2], namespace="kube-system")
        with place.running():
            found = place.wait(1)
        self.assertEqual([each["resource"]["k8s.namespace.name"] for each in found], ["tenant-books"])

    def test_numbers_as_levels_of_pino(self):
        levels = {10: 1, 20: 5, 30: 9, 40: 13, 50: 17, 60: 21}
        lines = [json.dumps({"level": number, "time": 1, "msg": str(number)}) for number in levels]
        found = self.collected({"minimumSeverity": "trace"}, lines, 6, container="api")
        self.assertEqual({int(each["body"]): each["severity"] for each in found}, levels)


def json_line(**fields):
    return json.dumps({"level": "info", "msg": "something happened", **fields})


# How a secret gets into a line: (container, a function of the secret). What stands in a URL is encoded there, as it has to be.
CARRIERS = {
    "authorization header": ("api", lambda s: json_line(req={"headers": {"authorization": f"Bearer {s}", "accept": "*/*"}})),
    "authorization, basic": ("api", lambda s: json_line(headers={"Authorization": "Basic " + base64.b64encode(f"user:{s}".encode()).decode()})),
    "authorization in a list": ("api", lambda s: json_line(rawHeaders=["Authorization", f"Bearer {s}"])),
    "proxy authorization": ("api", lambda s: json_line(headers={"proxy-authorization": f"Digest username=\"u\", response=\"{s}\""})),
    "cookie": ("api", lambda s: json_line(req={"headers": {"cookie": f"session={s}; theme=dark"}})),
    "set-cookie in a list": ("api", lambda s: json_line(res={"headers": {"set-cookie": [f"session={s}; HttpOnly", "a=b"]}})),
    "password": ("api", lambda s: json_line(user="ada", password=s)),
    "password deep down": ("api", lambda s: json_line(a={"b": [{"c": {"dbPassword": s}}]})),
    "password with a quote": ("api", lambda s: json_line(password='a"' + s)),
    "password as an object": ("api", lambda s: json_line(password={"value": s, "kind": {"plain": s}})),
    "password far down in an object": ("api", lambda s: json_line(secret={"a": {"b": {"c": "x", "d": s}}})),
    "password in lists of lists": ("api", lambda s: json_line(secret=[["a", ["b"]], s])),
    "password deeper than the patterns go": ("api", lambda s: json_line(secret=nested(60, s))),
    "brace in a text": ("api", lambda s: json_line(password={"note": "}", "v": s})),
    "bracket in a text": ("sidecar", lambda s: json_line(token=["a]", s])),
    "brace and a quote in a text": ("api", lambda s: json_line(password={"note": 'a"}', "v": {"w": s}})),
    # Each of two wrong cuts breaks the line, and both together do not.
    "braces that make up for each other": ("api", lambda s: json_line(a={"password": {"x": "{"}}, secret={"x": "{{", "v": s}).replace(" ", "")),
    "plurals": ("api", lambda s: json_line(tokens=[s], apiKeys={"first": s}, passwords=s, cookies=[s], credentials={"user": "ada", "value": s})),
    "what a secret is made into": ("api", lambda s: json_line(passwordHash=s, password_confirmation=s, tokenValue=s, SecretString=s, password2=s)),
    "object of JSON in a text": ("api", lambda s: json_line(msg="body was " + json.dumps({"password": {"value": s}, "tokens": ["a", s]}))),
    "password that was cut": ("api", lambda s: json_line(password=f"two words {s}")[:-2]),
    "client secret": ("api", lambda s: json_line(oauth={"client_secret": s, "access_token": s, "refresh-token": s})),
    "key of an API": ("api", lambda s: json_line(headers={"x-api-key": s})),
    "AWS keys": ("api", lambda s: json_line(credentials={"secretAccessKey": s, "aws_session_token": s})),
    "account key": ("api", lambda s: json_line(msg=f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={s};EndpointSuffix=core.windows.net")),
    "shared access signature": ("api", lambda s: json_line(url=f"https://a.blob.core.windows.net/c/o?sv=2025-01-05&se=2026&sig={s}&sp=r")),
    "signed URL": ("api", lambda s: json_line(url=f"https://b.s3.amazonaws.com/o?X-Amz-Signature={s}&X-Amz-Expires=60")),
    "connection string": ("api", lambda s: json_line(msg=f"cannot connect to mongodb://orders:{s}@h1:27017,h2:27017/orders?replicaSet=rs0")),
    "connection string, srv": ("api", lambda s: json_line(err={"stack": f"Error: mongodb+srv://orders:{s}@cluster.example/orders\n    at x"})),
    "connection string, other": ("api", lambda s: json_line(msg=f"redis://default:{s}@cache:6379/0 is away")),
    "connection string with a slash and an at": ("api", lambda s: json_line(msg=f"mongodb://orders:{s}/x@y@h1:27017/orders")),
    "JSON in a text": ("api", lambda s: json_line(msg="body was " + json.dumps({"user": "ada", "password": s}))),
    "assignment": ("api", lambda s: json_line(msg=f"starting with PASSWORD={s} and more")),
    "words": ("api", lambda s: json_line(msg=f"the password: {s} was refused")),
    "flag": ("api", lambda s: json_line(msg=f"exec tool --admin-password {s} --verbose")),
    "web token": ("api", lambda s: json_line(msg="got eyJhbGciOiJIUzI1NiJ9." + base64.urlsafe_b64encode(s.encode()).decode().rstrip("=") + "." + "x" * 20)),
    "private key": ("api", lambda s: json_line(pem=f"-----BEGIN PRIVATE KEY-----\n{s}\n-----END PRIVATE KEY-----\n")),
    "key of age": ("sidecar", lambda s: json.dumps({"level": "ERROR", "message": "cannot open", "identity": f"AGE-SECRET-KEY-1{s.upper()}"})),
    "plain text header": ("api", lambda s: f"> Authorization: Bearer {s}"),
    "plain text cookie": ("api", lambda s: f"< Set-Cookie: session={s}; Path=/"),
    "plain text URL": ("sidecar", lambda s: f"panicked: mongodb://tidemark:{s}@localhost:27017"),
    "SCRAM payload": ("mongod", lambda s: mongod("Slow query", {"command": {"saslStart": 1, "payload": {"$binary": {"base64": s, "subType": "0"}}}})),
    "SCRAM payload as text": ("mongod", lambda s: mongod("Slow query", {"command": {"saslContinue": 1, "payload": f"c=biws,r=abc{s},p={s}"}})),
    "SCRAM message": ("sidecar", lambda s: json.dumps({"level": "DEBUG", "message": f"sent c=biws,r={s},p={s}="})),
    "user of mongod": ("mongod", lambda s: mongod("Slow query", {"command": {"createUser": "app", "pwd": s, "roles": []}})),
    "credentials of SCRAM": ("mongod", lambda s: mongod("Found user", {"doc": {"credentials": {"SCRAM-SHA-256": {"storedKey": s, "serverKey": s}}}})),
    "filter": ("mongod", lambda s: mongod("Slow query", {"command": {"find": "c", "filter": {"email": s, s: 1}}})),
    "filter of a getMore": ("mongod", lambda s: mongod("Slow query", {"command": {"getMore": 1}, "originatingCommand": {"find": "c", "filter": {"a": s}}})),
    "field of tomorrow": ("mongod", lambda s: mongod("Slow query", {"newInVersionNine": {"sample": s}, "another": s})),
    "duplicate key": ("mongod", lambda s: mongod("Failed", {"error": {"code": 11000, "codeName": "DuplicateKey", "errmsg": f'dup key: {{ email: "{s}" }}', "keyValue": {"email": s}}})),
    "text of an error": ("mongod", lambda s: mongod("Assertion", {"error": f"BadValue: cannot take {s} for a number"}, "QUERY")),
    "quotes in an error": ("mongod", lambda s: mongod("Something", {"error": f"Location1: '{s}' or \"{s}\" or {{a: {s}}}"}, "REPL")),
    "error of a slow query": ("mongod", lambda s: mongod("Slow query", {"errMsg": f"Cannot create field 'a' in element {{b: \"{s}\"}}", "errName": "PathNotViable"})),
    "assertion": ("mongod", lambda s: mongod("Assertion while executing command", {"command": "find", "commandArgs": {"find": "c", "filter": {"x": s}}})),
    "view": ("mongod", lambda s: mongod("Slow query", {"resolvedViews": [{"resolvedPipeline": [{"$match": {"x": s}}]}]})),
    "index": ("mongod", lambda s: mongod("Index build: starting", {"properties": {"partialFilterExpression": {"x": s}}}, "INDEX")),
    "line that was cut": ("mongod", lambda s: mongod("Slow query", {"command": {"find": "c", "filter": {"x": s * 3}}})[:-30]),
    "middle of a line": ("mongod", lambda s: f'x":"{s}","y":1}}}}'),
}


def nested(depth, value):
    return {"a": nested(depth - 1, value)} if depth else value


def mongod(message, attributes, component="COMMAND"):
    return json.dumps({"t": {"$date": "2026-11-29T16:27:26.500+00:00"}, "s": "I", "c": component, "id": 51803, "ctx": "conn1", "msg": message, "attr": attributes})


class Secrets(unittest.TestCase):
    """Whatever the secret, and however it gets into a line, it does not get out."""

    ROUNDS = 12
    # Of URL-safe characters, since a secret in a URL is encoded; at both ends a letter, so that it can be recognised.
    ALPHABET = string.ascii_letters + string.digits + "-_.~"

    def secrets(self):
        chance = random.Random(SEED)
        for _ in range(self.ROUNDS):
            for name in CARRIERS:
                inner = "".join(chance.choice(self.ALPHABET) for _ in range(chance.randint(10, 40)))
                yield name, "Zq" + inner + "qZ"

    def through(self, drop_redaction=False):
        injected = list(self.secrets())
        place = Collector(self, {"minimumSeverity": "trace"})
        if drop_redaction:
            config = yaml.safe_load(place.config.read_text())
            (group,) = config["processors"]["transform"]["log_statements"]
            removing = ("replace_pattern", "keep_matching_keys", "delete_key", 'set(log.attributes["mongodb"]["error"]')
            group["statements"] = [each for each in group["statements"] if not each.startswith(removing)]
            place.config.write_text(yaml.safe_dump(config))
        for name, secret in injected:
            container, carrier = CARRIERS[name]
            # Long lines come in pieces, and a secret may be where they were cut.
            place.pods.write(container, [carrier(secret)], pieces=random.Random(secret).choice((1, 1, 3)))
        with place.running():
            place.wait(len(injected))
        return injected, place.output.read_text(), place.said()

    def test_none_survives(self):
        injected, raw, said = self.through()
        survived = {}
        for name, secret in injected:
            forms = {secret, secret.upper() if name == "key of age" else secret, base64.b64encode(f"user:{secret}".encode()).decode(),
                     base64.urlsafe_b64encode(secret.encode()).decode().rstrip("=")}
            if any(form in raw or form in said for form in forms):
                survived[name] = secret
        self.assertEqual(survived, {}, f"seed {SEED}")

    def test_each_carrier_would_show_its_secret(self):
        """Without the statements that remove them nearly all are seen; else the test above proves nothing."""
        injected, raw, _ = self.through(drop_redaction=True)
        unseen = {name for name, secret in injected if secret not in raw and secret.upper() not in raw}
        # Encoded in their carrier, or withheld as a whole.
        self.assertEqual(unseen, {"authorization, basic", "web token", "line that was cut", "middle of a line"})

    def test_what_is_no_secret_stays(self):
        lines = [
            "the token bucket of shop is empty",
            "password rotation is due in 3 days",
            "GET https://api.example:8443/v1/orders?limit=5&cursor=abc 200",
            "basic health check passed, bearer of news",
            "connecting to mongodb://h1:27017,h2:27017/orders?replicaSet=rs0",
        ]
        place = Collector(self, {"containers": {"web": "text"}})
        place.pods.write("web", lines)
        with place.running():
            found = place.wait(len(lines))
        self.assertEqual([each["body"] for each in found], lines)


    def test_only_the_secret_is_taken_out_of_a_line(self):
        """Whatever it is made of: brackets, quotes and escapes in its texts, objects and lists within each other."""
        chance = random.Random(SEED)

        def anything(depth):
            kind = chance.choice("tttnol" if depth else "ttn")
            if kind == "t":
                return "Zq" + "".join(chance.choice('{}[]",:\\\n\'= aé') for _ in range(chance.randint(0, 8))) + "qZ"
            if kind == "n":
                return chance.choice([None, True, 77777.25, -77777])
            some = [anything(depth - 1) for _ in range(chance.randint(0, 3))]
            return some if kind == "l" else {f"Zq{number}{chance.choice('{}[]:')}": each for number, each in enumerate(some)}

        names = ["password", "tokens", "client_secret", "apiKey", "Set-Cookie", "credentials"]
        lines = []
        for number in range(400):
            fields = {"before": {"n": number, "text": "{[ ]}"}, "x": {chance.choice(names): anything(5)}, chance.choice(names): anything(5), "after": [number]}
            lines.append(json.dumps({"level": "info", "msg": str(number), **fields}, ensure_ascii=chance.random() < 0.5, separators=chance.choice([(",", ":"), (", ", ": ")])))
        place = Collector(self, {})
        place.pods.write("api", lines)
        with place.running():
            found = place.wait(len(lines))
        self.assertNotRegex(place.output.read_text(), "Zq|qZ|77777")
        for number, each in enumerate(found):
            self.assertEqual(each["body"], str(number), lines[number])
            fields = {name: value for name, value in each["attributes"].items() if name.startswith("app.")}
            self.assertEqual(sorted(value for value in fields.values() if value == "***"), ["***", "***"], lines[number])
            self.assertEqual((fields["app.before.text"], len(fields)), ("{[ ]}", 5), lines[number])

    def test_names_that_only_sound_like_secrets_stay(self):
        names = ["tokensUsed", "token_count", "tokenType", "tokenExpiresAt", "secretName", "passwordChangedAt", "password_policy", "apiKeyId", "cookieDomain", "credentialsExpireAt"]
        place = Collector(self, {})
        place.pods.write("api", [json_line(**{name: "seen" for name in names})])
        with place.running():
            (found,) = place.wait(1)
        self.assertEqual({name for name in names if found["attributes"].get(f"app.{name}") != "seen"}, set())

    def test_a_count_by_the_name_of_a_secret_is_taken_out(self):
        """docs/log-collection.md says so: nobody can tell a number from a short secret."""
        place = Collector(self, {})
        place.pods.write("api", [json_line(tokens=17, usage={"tokens": 17})])
        with place.running():
            (found,) = place.wait(1)
        self.assertEqual((found["attributes"]["app.tokens"], found["attributes"]["app.usage.tokens"]), ("***", "***"))


class Delivery(unittest.TestCase):
    """What was read arrives, whatever happens to the sink or the process."""

    def place(self, sink, **queue):
        values = {"sinks": {"otlp": {"endpoint": f"http://127.0.0.1:{sink.port}", "insecure": True}}, "containers": {"web": "text"}}
        values["queue"] = {"size": 1000, "batchSize": 50, "flushTimeout": "200ms", **queue}
        override = {
            "exporters": {"otlp_http/otlp": {"encoding": "json", "compression": "none"}},
            "service": {"pipelines": {"logs": {"exporters": ["otlp_http/otlp"]}}},
        }
        return Collector(self, values, override)

    def setUp(self):
        self.sink = Sink()
        self.addCleanup(self.sink.stop)

    def arrived(self, wanted, seconds=40):
        wait_until(lambda: wanted <= set(self.sink.bodies()), seconds)
        return set(self.sink.bodies())

    def test_a_kill_loses_nothing(self):
        place = self.place(self.sink)
        first = [f"line {number}" for number in range(300)]
        place.pods.write("web", first)
        # Nobody answers: everything waits on disk.
        place.start()
        self.addCleanup(place.stop)
        wait_until(lambda: "connection refused" in place.said())
        place.kill()
        second = [f"line {number}" for number in range(300, 400)]
        place.pods.write("web", second)
        self.sink.start()
        place.start()
        self.assertEqual(self.arrived({*first, *second}), {*first, *second})
        # At least once is the promise; a kill may repeat what was under way, and no more than that.
        self.assertLess(len(self.sink.bodies()), 2 * 400)

    def test_a_full_queue_stops_the_reading_and_drops_nothing(self):
        place = self.place(self.sink, size=100, batchSize=20)
        lines = [f"line {number}" for number in range(2000)]
        place.pods.write("web", lines)
        place.start()
        self.addCleanup(place.stop)
        wait_until(lambda: "connection refused" in place.said())
        self.sink.start()
        self.assertEqual(self.arrived(set(lines)), set(lines))
        self.assertNotIn("Dropping data", place.said())

    def test_an_orderly_restart_repeats_nothing(self):
        self.sink.start()
        place = self.place(self.sink)
        lines = [f"line {number}" for number in range(100)]
        place.pods.write("web", lines)
        place.start()
        self.assertEqual(self.arrived(set(lines)), set(lines))
        place.stop()
        more = [f"more {number}" for number in range(10)]
        place.pods.write("web", more)
        with place.running():
            self.assertEqual(self.arrived({*lines, *more}), {*lines, *more})
        self.assertEqual(sorted(self.sink.bodies()), sorted(lines + more))

    def test_a_rotated_file_is_read_to_its_end_and_once(self):
        self.sink.start()
        place = self.place(self.sink)
        place.pods.write("web", [f"line {number}" for number in range(50)])
        place.start()
        self.addCleanup(place.stop)
        self.arrived({"line 49"})
        place.pods.write("web", [f"last {number}" for number in range(20)])
        path = place.pods.file("web")
        path.rename(path.with_name("0.log.20261129-163000"))
        place.pods.write("web", [f"next {number}" for number in range(50)])
        wanted = {*(f"line {n}" for n in range(50)), *(f"last {n}" for n in range(20)), *(f"next {n}" for n in range(50))}
        self.assertEqual(self.arrived(wanted), wanted)
        self.assertEqual(len(self.sink.bodies()), len(wanted))


if __name__ == "__main__":
    unittest.main()
