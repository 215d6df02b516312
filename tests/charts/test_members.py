"""Members that sign in to each other by certificate: real servers, tended and probed by our own program, with what the chart renders."""

import contextlib
import json
import os
import pathlib
import re
import ssl
import subprocess
import tempfile
import time
import unittest

import yaml

import helm
from test_edge import free_port

MONGOD, SIDECAR = os.environ.get("MONGOD", "mongod"), os.environ.get("SIDECAR", "sidecar")
STEPS = ("keyFile", "sendKeyFile", "sendX509", "x509")
POD = "StatefulSet/r-mongodb spec/template/spec"
# The chart's names do not lead anywhere here: each member has an address of its own.
TEMPLATE = "r-mongodb-{ordinal}.r-mongodb-headless.ns.svc.cluster.local:27017"


def openssl(folder, *arguments):
    subprocess.run(["openssl", *map(str, arguments)], cwd=folder, check=True, capture_output=True)


def authority(folder):
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl(folder, "req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=authority", "-days", 2)


def certificate(folder, name, subject, extensions):
    """`NAME.pem`, with its key, as mongod reads it."""
    (folder / f"{name}.ext").write_text("\n".join(extensions) + "\n")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl(folder, "req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", subject)
    openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-out", f"{name}.crt", "-days", 2, "-extfile", f"{name}.ext")
    (folder / f"{name}.pem").write_text((folder / f"{name}.crt").read_text() + (folder / f"{name}.key").read_text())


HERE = "127.0.0.1{ordinal}"
# As 127.0.0.1 in a pod: the same server, by an address that the set does not know.
BESIDE = "127.0.0.2{ordinal}"


def issue(folder, spec, *addresses):
    """What cert-manager would make of the chart's Certificate, for these addresses, too; by default those of this machine."""
    subject = "".join(f"/O={name}" for name in spec["subject"]["organizations"])
    subject += "".join(f"/OU={name}" for name in spec["subject"]["organizationalUnits"]) + f"/CN={spec['commonName']}"
    addresses = addresses or [place.format(ordinal=ordinal) for ordinal in range(3) for place in (HERE, BESIDE)]
    names = [f"DNS:{name}" for name in spec["dnsNames"]] + [f"IP:{address}" for address in (*spec["ipAddresses"], *addresses)]
    usages = [{"server auth": "serverAuth", "client auth": "clientAuth"}[usage] for usage in spec["usages"] if usage.endswith("auth")]
    certificate(folder, "tls-combined", subject, [f"subjectAltName={','.join(names)}", f"extendedKeyUsage={','.join(usages)}"])


def rendered(mode, **tls):
    auth = {"clusterAuthMode": mode}
    return helm.render("mongodb", {"tls": {"enabled": True, "issuerRef": {"name": "ca"}, **tls}, "auth": auth})


def eventually(condition, seconds):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.3)
    return True


class Member:
    """One mongod and the container `member` beside it, of the chart with this mode."""

    def __init__(self, members, ordinal, mode):
        self.members, self.ordinal, self.documents = members, ordinal, rendered(mode)
        self.address = f"{HERE.format(ordinal=ordinal)}:{members.port}"
        self.folder = members.folder / str(ordinal)
        (self.folder / "data").mkdir(parents=True)
        self.processes = []

    def here(self, text):
        """What the chart says, with the places of this machine."""
        tls, auth = f"{self.members.folder}/", f"{self.members.folder}/auth/"
        places = {
            TEMPLATE: f"{HERE}:{self.members.port}",
            f"$(POD_NAME).{TEMPLATE.split('.', 1)[1]}": self.address,
            "r-mongodb.ns.svc.cluster.local:27017": f"{HERE.format(ordinal=0)}:{self.members.port}",
            "$(POD_NAME)": f"r-mongodb-{self.ordinal}",
            "$(MONGODB_PASSWORD)": "password-tidemark-backup",
            "127.0.0.1:27017": self.address,
            "0.0.0.0:9718": f"127.0.0.1:{free_port()}",
            "/etc/tidemark/tls/": tls,
            "/etc/tidemark/auth/": auth,
            "/etc/tidemark/member/": f"{self.folder}/",
            "/opt/tidemark/keyfile": f"{self.members.folder}/keyfile",
            "/opt/tidemark/sidecar": SIDECAR,
            "/data/db": f"{self.folder}/data",
        }
        for place, instead in places.items():
            text = text.replace(place, instead)
        return text

    def look(self, query):
        return helm.look(self.documents, query)

    def environment(self, container):
        listed = {variable["name"]: self.here(variable["value"]) for variable in self.look(f"{POD}/{container}/env") if "value" in variable}
        return {**os.environ, **listed}

    def start(self):
        self.start_server()
        self.start_tending()

    def start_server(self):
        config = yaml.safe_load(self.here(self.look("ConfigMap/r-mongodb data/mongod.conf")))
        config["net"] |= {"port": self.members.port, "bindIp": ",".join(place.format(ordinal=self.ordinal) for place in (HERE, BESIDE)), "unixDomainSocket": {"enabled": False}}
        del config["net"]["bindIpAll"]
        (self.folder / "mongod.conf").write_text(yaml.safe_dump(config))
        (self.folder / "members").write_text(str(self.members.count))
        (self.folder / "users.json").write_text(self.here(self.look("ConfigMap/r-mongodb data/users.json")))
        with open(self.folder / "mongod.log", "wb") as log:
            self.processes.append(subprocess.Popen([MONGOD, "--config", self.folder / "mongod.conf"], stdout=log, stderr=log))

    def start_tending(self):
        with open(self.folder / "member.log", "wb") as log:
            arguments = [self.here(argument) for argument in self.look(f"{POD}/initContainers/[member]/args")]
            self.processes.append(subprocess.Popen([SIDECAR, *arguments], stdout=log, stderr=log, env=self.environment("initContainers/[member]")))

    def stop(self):
        # Nothing of it is needed again, and an orderly end would wait for clients.
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait(30)

    def run(self, command, **changed):
        words = [self.here(word) for word in command]
        return subprocess.run(words, env={**self.environment("containers/[mongod]"), **changed}, capture_output=True, text=True, timeout=60)

    def is_ready(self):
        return self.run(self.look(f"{POD}/containers/[mongod]/readinessProbe/exec/command")).returncode == 0

    def served(self):
        """The certificate that it shows to who connects now."""
        host, port = self.address.rsplit(":", 1)
        return ssl.get_server_certificate((host, int(port)), timeout=5)

    def hand_over(self):
        return self.run(self.look(f"{POD}/containers/[mongod]/lifecycle/preStop/exec/command")).stdout

    def check(self):
        """`sidecar check` with the connection string of the container `sidecar`: what it says by the name of the check."""
        environment = self.environment("initContainers/[sidecar]") | {"TIDEMARK_ARCHIVE": f"file://{self.members.folder}/archive"}
        done = subprocess.run([SIDECAR, "check", "--json"], env=environment, capture_output=True, text=True, timeout=60)
        return {check["check"]: check for check in json.loads(done.stdout)["checks"]}

    def words(self):
        return "".join((self.folder / name).read_text(errors="replace")[-3000:] for name in ("member.log", "mongod.log"))


class Members:
    """A set whose members have these modes, in their order."""

    def __init__(self, *modes):
        self.modes, self.count = modes, len(modes)

    def __enter__(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self.temporary.name)
        self.port = free_port()
        authority(self.folder)
        issue(self.folder, helm.look(rendered("x509"), "Certificate/r-mongodb-tls spec"))
        (self.folder / "auth").mkdir()
        for user in ("orders", "developer", "tidemark-backup"):
            (self.folder / "auth" / f"password-{user}").write_text(f"password-{user}")
        (self.folder / "keyfile").write_text("a2V5ZmlsZQ==")
        (self.folder / "keyfile").chmod(0o400)
        self.all = [Member(self, ordinal, mode) for ordinal, mode in enumerate(self.modes)]
        for member in self.all:
            member.start()
        return self

    def __exit__(self, *_):
        for member in self.all:
            member.stop()
        self.temporary.cleanup()

    def put(self, certificate_there, authorities):
        """As a Secret is put into a pod: whole files, at once."""
        for name, text in (("ca.crt", authorities), ("tls-combined.pem", certificate_there)):
            (self.folder / "put").write_text(text)
            (self.folder / "put").replace(self.folder / name)

    def become_ready(self, seconds):
        return eventually(lambda: all(member.is_ready() for member in self.all), seconds)

    def words(self):
        return "\n---\n".join(f"{member.ordinal} ({mode})\n{member.words()}" for member, mode in zip(self.all, self.modes))


class Certificates(unittest.TestCase):
    def test_members_with_certificates_are_a_set_and_the_keyfile_opens_nothing(self):
        with Members("x509", "x509", "x509") as members:
            self.assertTrue(members.become_ready(90), members.words())
            # The primary's container makes the users a moment later.
            checks, deadline = members.all[1].check(), time.monotonic() + 60
            while not (checks["server"]["ok"] and checks.get("privileges", {}).get("ok")) and time.monotonic() < deadline:
                checks = members.all[1].check()
            self.assertTrue(checks["server"]["ok"] and checks.get("privileges", {}).get("ok"), f"{checks}\n{members.words()}")
            primary = int(re.search(r"127\.0\.0\.1(\d):\d+ PRIMARY", checks["server"]["found"])[1])
            first = members.all[primary]
            step_down = [SIDECAR, "member", "step-down", "--timeout", "5s"]
            encrypted = f"mongodb://{first.address}/?directConnection=true&tls=true&tlsCAFile={members.folder}/ca.crt"

            with_keyfile = first.run([*step_down, "--keyfile", str(members.folder / "keyfile")], TIDEMARK_MEMBER_URI=encrypted)
            self.assertNotEqual(with_keyfile.returncode, 0, with_keyfile)
            self.assertIn("uthentication", with_keyfile.stderr)

            # Of the same authority, as another set of the company would have it.
            certificate(members.folder, "other", "/O=tidemark/OU=ns/OU=other-mongodb/CN=other-mongodb", ["subjectAltName=DNS:other", "extendedKeyUsage=serverAuth,clientAuth"])
            own = first.environment("containers/[mongod]")["TIDEMARK_MEMBER_URI"]
            as_other = first.run(step_down, TIDEMARK_MEMBER_URI=own.replace("tls-combined.pem", "other.pem"))
            self.assertNotEqual(as_other.returncode, 0, as_other)
            self.assertIn("uthentication", as_other.stderr)

            in_the_clear = [SIDECAR, "member", "probe", "liveness"]
            self.assertEqual(first.run(in_the_clear).returncode, 0)
            self.assertNotEqual(first.run(in_the_clear, TIDEMARK_MEMBER_URI=f"mongodb://{first.address}/?directConnection=true").returncode, 0)

            self.assertRegex(first.hand_over(), r"127\.0\.0\.1\d:\d+ is primary")

    def test_neighbouring_steps_understand_each_other_and_a_jump_does_not(self):
        # All at once: most of the time each waits for its election.
        pairs = [pair for step in zip(STEPS, STEPS[1:]) for pair in (step, step[::-1])]
        with contextlib.ExitStack() as stack:
            sets = [stack.enter_context(Members(*modes)) for modes in (*pairs, ("keyFile", "x509"))]
            for members in sets[:-1]:
                with self.subTest(modes=members.modes):
                    self.assertTrue(members.become_ready(90), members.words())
            self.assertFalse(sets[-1].become_ready(3), "the chart refuses such an upgrade, and need not")
            self.assertIn("uthentication", sets[-1].words())

    def test_a_renewed_certificate_is_served_without_a_restart_and_a_bad_one_is_not(self):
        with Members("x509") as members, tempfile.TemporaryDirectory() as name:
            self.assertTrue(members.become_ready(90), members.words())
            spec, only, other = helm.look(rendered("x509"), "Certificate/r-mongodb-tls spec"), members.all[0], pathlib.Path(name)
            authority(other)
            issue(other, spec)
            theirs = {file: (other / file).read_text() for file in ("tls-combined.pem", "ca.crt")}
            before, servers = only.served(), [process.pid for process in only.processes]
            issue(members.folder, spec)
            self.assertTrue(eventually(lambda: only.served() != before, 30), members.words())
            self.assertIn("certificates_renewed", members.words())
            self.assertTrue(only.is_ready(), members.words())

            renewed, authority_of_ours = only.served(), (members.folder / "ca.crt").read_text()
            own = (members.folder / "tls-combined.pem").read_text()
            issue(members.folder, spec, BESIDE.format(ordinal=0))
            # mongod itself would take the last two, and nobody would reach any member any more.
            bad = [
                (authority_of_ours, "-----BEGIN CERTIFICATE-----\n", "server's file"),
                (authority_of_ours, (members.folder / "tls-combined.pem").read_text(), "not valid for name"),
                (authority_of_ours, theirs["tls-combined.pem"], "none of the authorities signed"),
            ]
            for of, certificate_there, why in bad:
                with self.subTest(why=why):
                    members.put(certificate_there, of)
                    self.assertTrue(eventually(lambda why=why: re.search(f"certificates_refused.*{why}", members.words()), 30), members.words())
                    self.assertEqual(only.served(), renewed)
                    # A restart would have it use what is there.
                    self.assertEqual(only.run([SIDECAR, "member", "probe", "liveness"]).returncode, 0, members.words())

            # As cert-manager does when its issuer has another authority, and step by step.
            for authorities, certificate_there in ((theirs["ca.crt"], theirs["tls-combined.pem"]), (authority_of_ours + theirs["ca.crt"], own)):
                members.put(certificate_there, authorities)
                self.assertTrue(eventually(lambda there=certificate_there: only.served() in there, 30), members.words())
                self.assertTrue(eventually(only.is_ready, 30), members.words())
            self.assertEqual([process.pid for process in only.processes if process.poll() is None], servers)

    def test_what_a_server_shows_does_not_keep_it_from_reading_what_is_better(self):
        with Members("x509") as members:
            self.assertTrue(members.become_ready(90), members.words())
            spec, only = helm.look(rendered("x509"), "Certificate/r-mongodb-tls spec"), members.all[0]
            only.stop()
            only.processes.clear()
            own = {name: (members.folder / name).read_text() for name in ("tls-combined.pem", "ca.crt")}
            # As good as expired: nobody has this name.
            issue(members.folder, spec, BESIDE.format(ordinal=0))
            only.start_server()
            self.assertTrue(eventually(lambda: only.run([SIDECAR, "member", "probe", "liveness"]).returncode == 0, 60), members.words())
            self.assertFalse(only.is_ready())
            members.put(own["tls-combined.pem"], own["ca.crt"])
            only.start_tending()
            self.assertTrue(eventually(only.is_ready, 30), members.words())
            self.assertIsNone(only.processes[0].poll(), "nobody restarted it")

    def test_a_member_without_its_name_in_its_certificate_is_alive_and_not_ready(self):
        with Members("x509") as members:
            self.assertTrue(members.become_ready(90), members.words())
            only = members.all[0]
            only.stop()
            issue(members.folder, helm.look(rendered("x509"), "Certificate/r-mongodb-tls spec"), BESIDE.format(ordinal=0))
            only.start()
            uri = only.environment("containers/[mongod]")["TIDEMARK_MEMBER_URI"].replace(HERE.format(ordinal=0), BESIDE.format(ordinal=0))
            probe = [SIDECAR, "member", "probe"]
            self.assertTrue(eventually(lambda: only.run([*probe, "liveness"], TIDEMARK_MEMBER_URI=uri).returncode == 0, 60), members.words())
            # By the address of the probe all is well, and the others would not connect.
            unready = [*probe, "readiness"]
            self.assertTrue(eventually(lambda: "not valid for name" in only.run(unready, TIDEMARK_MEMBER_URI=uri).stderr, 60), only.run(unready, TIDEMARK_MEMBER_URI=uri))
            self.assertEqual(only.run([*probe, "liveness"]).returncode, 0, "the address of nobody's certificate")

    def test_the_certificate_that_is_asked_for_is_one_of_every_member(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            authority(folder)
            issue(folder, helm.look(rendered("x509"), "Certificate/r-mongodb-tls spec"))
            for ordinal in range(5):
                host = TEMPLATE.format(ordinal=ordinal).removesuffix(":27017")
                openssl(folder, "verify", "-CAfile", "ca.crt", "-purpose", "sslserver", "-verify_hostname", host, "tls-combined.crt")
                openssl(folder, "verify", "-CAfile", "ca.crt", "-purpose", "sslclient", "tls-combined.crt")
            with self.assertRaises(subprocess.CalledProcessError):
                openssl(folder, "verify", "-CAfile", "ca.crt", "-verify_hostname", "s-mongodb-0.s-mongodb-headless.ns.svc.cluster.local", "tls-combined.crt")


if __name__ == "__main__":
    unittest.main()
