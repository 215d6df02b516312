"""GitOps: what the sets generate, whether Argo CD's own definitions accept it, and that every chart renders with the values named there."""

import copy
import fnmatch
import ipaddress
import json
import os
import pathlib
import re
import shutil
import tempfile
import unittest

from repository import HELM, ROOT, documents, run

import generator
import promote
from test_promotion import RELEASE

PROVIDERS = ("local", "eks", "aks")
# Their definitions are of others, and are not in the schemas of Kubernetes.
FOREIGN = "Certificate,PrometheusRule,PodMonitor,HTTPRoute,BackendTrafficPolicy"
CLUSTER_WIDE = {"Namespace"}


class Repository:
    """A copy in which a release has gone through all environments; `provider` makes it one of another cloud."""

    def __init__(self, case, provider=None, released=True):
        folder = tempfile.TemporaryDirectory()
        case.addCleanup(folder.cleanup) if isinstance(case, unittest.TestCase) else case.addClassCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        shutil.copytree(ROOT / "gitops", self.root / "gitops")
        shutil.copytree(ROOT / "charts", self.root / "charts", ignore=shutil.ignore_patterns("*.tgz", "Chart.lock", "__pycache__"))
        environments = self.root / "gitops/environments"
        if provider:
            for path in environments.glob("*/environment.json"):
                path.write_text(json.dumps({**json.loads(path.read_text()), "provider": provider}))
        if released:
            for name in promote.ORDER:
                promote.Environment(environments, name).write(RELEASE)

    def sets(self):
        return {each["metadata"]["name"]: each for path in sorted((self.root / "gitops/root").glob("*.yaml")) for each in documents(path.read_text()) if each["kind"] == "ApplicationSet"}

    def projects(self):
        files = [self.root / "gitops/bootstrap.yaml", *(self.root / "gitops/root").glob("*.yaml")]
        return {each["metadata"]["name"]: each["spec"] for path in files for each in documents(path.read_text()) if each["kind"] == "AppProject"}

    def generated(self):
        return [each for application_set in self.sets().values() for each in generator.applications(application_set, self.root)]

    def rendered(self, application):
        """The manifests of an application, as the repository server of Argo CD would ask Helm for them."""
        spec = application["spec"]
        source = spec.get("source") or next(each for each in spec["sources"] if "path" in each)
        helm, arguments = source["helm"], []
        for file in helm.get("valueFiles", []):
            path = self.root / file.removeprefix("$values/")
            assert file.startswith("$values/") and path.is_file(), f"{file} of {application['metadata']['name']} is not there"
            arguments += ["--values", path]
        chart = self.root / source["path"]
        # Once for each copy: the charts in it do not change.
        if chart.name == "tidemark" and not (chart / "Chart.lock").exists():
            assert run(HELM, "dependency", "update", "--skip-refresh", chart).returncode == 0
        arguments += ["--skip-tests"] if helm.get("skipTests") else []
        # Helm reads the object last, and so does Argo CD.
        done = run(HELM, "template", helm["releaseName"], chart, "--namespace", spec["destination"]["namespace"], *arguments, "--values", "-",
                   input=json.dumps(helm.get("valuesObject", {})))
        assert done.returncode == 0, f"{application['metadata']['name']}: {done.stderr}"
        return done.stdout


def conform(text, *locations):
    arguments = [argument for location in locations for argument in ("-schema-location", location)]
    return run(os.environ["KUBECONFORM"], "-strict", "-kubernetes-version", "1.33.0", *arguments, "-skip", FOREIGN, input=text)


ARGO = os.environ.get("ARGO_SCHEMAS", "") + "/{{ .Group }}/{{ .ResourceKind }}_{{ .ResourceAPIVersion }}.json"
KUBERNETES = os.environ.get("KUBERNETES_SCHEMAS", "") + "/{{ .NormalizedKubernetesVersion }}-local-strict/{{ .ResourceKind }}{{ .KindSuffix }}.json"


class Sources(unittest.TestCase):
    def files(self):
        return [ROOT / "gitops/bootstrap.yaml", *sorted((ROOT / "gitops/root").glob("*.yaml")), *sorted((ROOT / "gitops/argocd").glob("*.yaml"))]

    def test_argo_cd_knows_every_field(self):
        for path in self.files():
            with self.subTest(path.name):
                done = conform(path.read_text(), ARGO, KUBERNETES)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_a_field_that_argo_cd_does_not_know_is_found(self):
        for old, new in (("applicationsSync: create-update", "applicationsSync: create-upsert"), ("goTemplateOptions", "goTemplateOption"), ("pathParamPrefix", "pathPrefix")):
            with self.subTest(new):
                text = (ROOT / "gitops/root/tenants.yaml").read_text()
                self.assertIn(old, text)
                self.assertNotEqual(conform(text.replace(old, new), ARGO).returncode, 0)

    def test_sets_take_nothing_away(self):
        for name, application_set in Repository(self, released=False).sets().items():
            with self.subTest(name):
                policy = application_set["spec"]["syncPolicy"]
                self.assertEqual(policy, {"applicationsSync": "create-update", "preserveResourcesOnDeletion": True})

    def test_the_policy_of_a_set_counts_only_with_the_setting_of_the_controller(self):
        (settings,) = documents((ROOT / "gitops/argocd/argocd-cmd-params-cm.yaml").read_text())
        self.assertEqual(settings["data"]["applicationsetcontroller.enable.policy.override"], "true")

    def test_waves_wait_for_the_health_of_applications(self):
        (settings,) = documents((ROOT / "gitops/argocd/argocd-cm.yaml").read_text())
        self.assertIn("obj.status.health.status", settings["data"]["resource.customizations.health.argoproj.io_Application"])
        self.assertEqual(settings["data"]["application.resourceTrackingMethod"], "annotation")

    def test_all_sources_are_this_repository(self):
        text = "".join(path.read_text() for path in self.files())
        self.assertEqual(set(re.findall(r"https://github\.com/[^\s\",\]]+", text)), {"https://github.com/OWNER/tidemark.git"})


class Generated(unittest.TestCase):
    def test_nothing_is_deployed_before_a_release_was_promoted(self):
        self.assertEqual(Repository(self, released=False).generated(), [])

    def test_there_is_one_for_each_tenant_and_agent_of_each_environment(self):
        names = {each["metadata"]["name"] for each in Repository(self).generated()}
        tenants = {f"{path.parent.parent.name}-{json.loads(path.read_text())['tenant']}" for path in (ROOT / "gitops/environments").glob("*/tenants/*.json")}
        self.assertEqual(names, tenants | {f"{name}-{agent}" for name in promote.ORDER for agent in ("node", "logs")})
        self.assertIn("prod-books", names)
        self.assertNotIn("dev-books", names)

    def test_a_new_tenant_is_one_file(self):
        repository = Repository(self)
        before = {each["metadata"]["name"] for each in repository.generated()}
        (repository.root / "gitops/environments/dev/tenants/toys.json").write_text('{"tenant": "toys"}')
        self.assertEqual({each["metadata"]["name"] for each in repository.generated()} - before, {"dev-toys"})

    def test_a_tenant_without_a_name_is_an_error_and_no_application(self):
        repository = Repository(self)
        (repository.root / "gitops/environments/dev/tenants/toys.json").write_text('{"name": "toys"}')
        with self.assertRaisesRegex(generator.MissingKey, r"\.tenant"):
            repository.generated()

    def test_the_file_of_a_tenant_is_called_as_the_tenant(self):
        for path in (ROOT / "gitops/environments").glob("*/tenants/*.json"):
            self.assertEqual(json.loads(path.read_text()), {"tenant": path.stem})
            self.assertRegex(path.stem, r"^[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?$")

    def test_every_tenant_is_watched(self):
        for name in promote.ORDER:
            folder = ROOT / "gitops/environments" / name
            (values,) = documents((folder / "tidemark.yaml").read_text())
            wanted = sorted(f"tenant-{path.stem}" for path in folder.glob("tenants/*.json"))
            self.assertEqual(sorted(values["monitoring"]["operator"]["namespaces"]), wanted, f"{name}: add the namespace to monitoring.operator.namespaces")

    def test_two_environments_share_neither_archive_nor_cluster(self):
        for key in ("archive", "cluster"):
            values = [json.loads((ROOT / f"gitops/environments/{name}/environment.json").read_text())[key] for name in promote.ORDER]
            self.assertEqual(len(set(values)), len(values), key)


class Rendered(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.repositories, cls.found = {}, []
        for provider in PROVIDERS:
            repository = cls.repositories[provider] = Repository(cls, provider)
            for application in repository.generated():
                text = repository.rendered(application)
                cls.found.append((provider, application, text))
                # The applications of a tenant, and what is in them.
                cls.found += [(provider, child, repository.rendered(child)) for child in documents(text) if child["kind"] == "Application"]

    def leaves(self):
        return [each for each in self.found if "kind: Application\n" not in each[2]]

    def named(self, name, provider="eks"):
        return next(each for each in self.found if each[0] == provider and each[1]["metadata"]["name"] == name)

    def test_argo_cd_accepts_what_is_generated(self):
        text = "\n---\n".join(json.dumps(application) for _, application, _ in self.found)
        done = conform(text, ARGO)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_kubernetes_accepts_what_is_rendered(self):
        for provider in PROVIDERS:
            done = conform("\n---\n".join(text for each, _, text in self.leaves() if each == provider), KUBERNETES)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_parts_of_a_tenant_come_in_waves(self):
        _, _, text = self.named("prod-shop")
        waves = {each["metadata"]["name"]: each["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"] for each in documents(text)}
        self.assertEqual(waves, {"prod-shop-namespace": "0", "prod-shop-database": "1", "prod-shop-api": "2"})

    def test_no_kind_is_in_two_parts(self):
        made = {}
        for part in ("namespace", "database", "api"):
            for each in documents(self.named(f"prod-shop-{part}")[2]):
                key = (each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"])
                self.assertNotIn(key, made, f"also in {made.get(key)}")
                made[key] = part
        self.assertEqual(made[("StatefulSet", None, "shop-mongodb")], "database")
        self.assertEqual(made[("Deployment", None, "shop-orders-api")], "api")
        self.assertNotIn("DaemonSet", {kind for kind, _, _ in made})

    def test_nothing_of_a_database_is_taken_away(self):
        for provider, application, text in self.found:
            if not application["metadata"]["name"].endswith(("-database", "-namespace")):
                continue
            with self.subTest(provider, application=application["metadata"]["name"]):
                self.assertIs(application["spec"]["syncPolicy"]["automated"]["prune"], False)
                self.assertIn("Delete=false", application["metadata"]["annotations"]["argocd.argoproj.io/sync-options"])
                self.assertNotIn("finalizers", application["metadata"])
                for each in documents(text):
                    if each["kind"] == "StatefulSet":
                        self.assertEqual(each["metadata"]["annotations"]["argocd.argoproj.io/sync-options"], "Delete=false,Prune=false")
                        (claim,) = each["spec"]["volumeClaimTemplates"]
                        self.assertEqual(claim["metadata"]["annotations"]["argocd.argoproj.io/sync-options"], "Delete=false,Prune=false")
                        self.assertEqual(each["spec"]["persistentVolumeClaimRetentionPolicy"], {"whenDeleted": "Retain", "whenScaled": "Retain"})

    def test_every_image_is_named_by_the_digest_of_the_release(self):
        for provider, application, text in self.leaves():
            found = re.findall(r"^\s*(?:- )?image: \"?([^\s\"]+)", text, re.M)
            with self.subTest(provider, application=application["metadata"]["name"]):
                self.assertTrue(found or application["metadata"]["name"].endswith("-namespace"))
                for image in found:
                    self.assertIn(image.partition("@")[2], RELEASE["images"].values(), image)

    def test_destinations_and_kinds_are_those_of_the_project(self):
        for provider, application, text in self.found:
            with self.subTest(provider, application=application["metadata"]["name"]):
                project = self.repositories[provider].projects()[application["spec"]["project"]]
                for each in documents(text):
                    self.assertEqual(refusal(project, application, each), None)

    def test_projects_refuse_what_is_not_theirs(self):
        _, application, text = self.named("dev-shop-database")
        projects = self.repositories["eks"].projects()
        stateful = next(each for each in documents(text) if each["kind"] == "StatefulSet")
        elsewhere = copy.deepcopy(application)
        elsewhere["spec"]["destination"]["name"] = "tidemark-prod"
        self.assertIn("destination", refusal(projects["tidemark-dev"], elsewhere, stateful))
        for kind in ("ClusterRole", "ClusterRoleBinding", "MutatingWebhookConfiguration"):
            self.assertIn("kind", refusal(projects["tidemark-dev"], application, {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": "x"}}))
        system = copy.deepcopy(stateful)
        system["metadata"]["namespace"] = "kube-system"
        self.assertIn("destination", refusal(projects["tidemark-dev"], application, system))

    def test_no_placeholder_is_left_in_an_environment(self):
        """Those of charts/values are to be replaced; an environment replaces them all."""
        for provider, application, text in self.leaves():
            if provider == "eks":
                found = re.findall(r"\b(ACCOUNT|REGION|BUCKET|TENANT|CLIENT-ID|ENVIRONMENT|REGISTRY|PUBLIC-SUBNET|GATEWAY-SUBNET)\b", text)
                with self.subTest(application=application["metadata"]["name"]):
                    self.assertEqual([each for each in found if each != "ENVIRONMENT"], [])

    def test_the_load_balancer_and_no_pod_may_call_the_api(self):
        """Its health checks come from its own subnets; from those of nodes and pods anybody could say to be a client."""
        for name in promote.ORDER:
            provider = json.loads((ROOT / f"gitops/environments/{name}/environment.json").read_text())["provider"]
            with self.subTest(name, provider=provider):
                policy = next(each for each in documents(self.named(f"{name}-shop-api", provider)[2]) if each["kind"] == "NetworkPolicy" and each["metadata"]["name"] == "shop-orders-api")
                (callers,) = [rule["from"] for rule in policy["spec"]["ingress"] if rule["ports"] == [{"port": 3000, "protocol": "TCP"}]]
                self.assertEqual([each["ipBlock"]["cidr"] for each in callers if "ipBlock" in each], load_balancers(provider, name))
                self.assertEqual([each for each in callers if "namespaceSelector" in each], [])

    def test_the_page_for_aks_names_the_ranges_of_the_gateways(self):
        page = (ROOT / "docs/install-aks.md").read_text()
        for name in promote.ORDER:
            self.assertIn(f"`{load_balancers('aks', name)[0]}` in {name}", page)

    def test_tenants_have_archives_of_their_own(self):
        urls = [each["spec"]["source"]["helm"]["valuesObject"]["archive"] for provider, each, _ in self.found if provider == "eks" and "source" in each["spec"]]
        self.assertEqual(len(set(urls)), len(urls))
        self.assertIn("s3://tidemark-prod-archive/books?region=", " ".join(urls))

    def test_no_secret_is_made_from_git(self):
        for provider, application, text in self.leaves():
            with self.subTest(provider, application=application["metadata"]["name"]):
                self.assertEqual([each["metadata"]["name"] for each in documents(text) if each["kind"] == "Secret"], [])

    def test_production_is_what_was_in_staging(self):
        def images(name):
            return sorted(set(re.findall(r"@(sha256:[0-9a-f]{64})", self.named(name)[2])))

        self.assertEqual(images("prod-shop-database"), images("staging-shop-database"))
        revisions = {self.named(f"{name}-shop-database")[1]["spec"]["sources"][0]["targetRevision"] for name in promote.ORDER}
        self.assertEqual(revisions, {RELEASE["revision"]})


def load_balancers(provider, environment):
    """Where the load balancers of an environment are, by its file and by the plan of ranges that Terraform follows."""
    terraform = ROOT / "terraform"
    cloud = {"eks": "aws", "aks": "azure"}[provider]
    (values,) = documents((terraform / f"environments/{cloud}/{environment}/environment.yaml").read_text())
    bits, first = re.search(r"\bpublic +=.*cidrsubnet\(var\.cidr, (\d+), (\d+) \+ zone\)", (terraform / "modules/pure/cidr-plan/main.tf").read_text()).groups()
    subnets = list(ipaddress.ip_network(values["network"]["cidr"]).subnets(int(bits)))
    if cloud == "azure":
        # Subnets of Azure span zones.
        assert re.search(r"gateway += module\.cidr_plan\.public\[0\]", (terraform / "environments/azure/layers/network/main.tf").read_text())
        return [str(subnets[int(first)])]
    return [str(subnets[int(first) + zone]) for zone in range(len(values["network"]["zones"]))]


def refusal(project, application, manifest):
    """Why the project would not let this be applied, as Argo CD judges; None when it would."""
    destination = application["spec"]["destination"]
    namespace = manifest["metadata"].get("namespace", destination["namespace"])
    if manifest["kind"] == "Namespace":
        namespace = destination["namespace"]
    allowed = [each for each in project["destinations"] if each.get("name") == destination["name"] and fnmatch.fnmatch(namespace, each["namespace"])]
    if not allowed:
        return f"destination {destination['name']}/{namespace}"
    group = manifest["apiVersion"].rpartition("/")[0]
    wide = manifest["kind"] in CLUSTER_WIDE or manifest["kind"].startswith(("Cluster", "MutatingWebhook", "ValidatingWebhook"))
    kinds = project["clusterResourceWhitelist" if wide else "namespaceResourceWhitelist"]
    if not any(each["kind"] == manifest["kind"] and each["group"] == group for each in kinds):
        return f"kind {group}/{manifest['kind']}"
    return None


if __name__ == "__main__":
    unittest.main()
