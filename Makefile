# Run as built: `cargo run -p e2e` alone selects other features and builds half of everything again.
programs = $${CARGO_TARGET_DIR:-target}/release
# A tag is v0.2.0, a release 0.2.0.
version = $(VERSION:v%=%)

# The contracted one first; then those that still get fixes.
node_versions = 21.7.3 22.23.5 24.22.3
orders_api = packages/orders-api

.DEFAULT_GOAL := help
.PHONY: help demo demo-monitoring drill test test-alerts test-dashboards charts test-charts test-orders-api test-terraform lint-orders-api servers bench lint fmt soak test-cluster test-images images cluster-up cluster-down e2e e2e-small test-delivery promote dist sbom image-archives registry-login publish-images publish-charts sign publish-release promotion-request terraform-roots terraform-validate terraform-plan terraform-apply ci-packages

help:  ## what can be done here
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

demo:  ## the main job on this machine: snapshot, archive, disaster, find, restore, compare (STORE=file|s3|azure)
	@cargo build --release --quiet -p sidecar -p dr-cli -p e2e
	@$(programs)/demo $(if $(STORE),--store $(STORE)) $(ARGS)

demo-monitoring:  ## a lag and a slow query: the alerts that arrive, pictures of the pages (ARGS='--out DIR --keep')
	@cargo build --release --quiet -p sidecar -p dr-cli -p e2e
	@$(programs)/demo-monitoring $(ARGS)

# A variable that nobody has set is empty in a workflow. A drill from an archive that was made for it, or without objectives, would pass there, week by week, and prove nothing.
drill:  ## restore for practice into a place that Terraform makes and destroys; report in target/drill/ (ARCHIVE=url CONTROL=url RPO=5m RTO=2h; ARGS='--keep')
	$(if $(filter undefined,$(origin ARCHIVE))$(ARCHIVE),,$(error ARCHIVE is empty: name the archive to drill from, or leave ARCHIVE away and one is made))
	$(if $(filter undefined,$(origin RPO))$(RPO),,$(error RPO is empty: say how much may be lost at most, for example 5m, or leave RPO away and loss is not judged))
	$(if $(filter undefined,$(origin RTO))$(RTO),,$(error RTO is empty: say how long a restore may take at most, for example 2h, or leave RTO away and time is not judged))
	@cargo build --release --quiet -p sidecar -p dr-cli -p e2e
	@TERRAFORM="$$(scripts/fetch-terraform.sh | tail -n 1)" $(programs)/demo drill $(if $(ARCHIVE),--archive "$(ARCHIVE)") -- $(if $(CONTROL),--control "$(CONTROL)") $(if $(RPO),--rpo "$(RPO)") $(if $(RTO),--rto "$(RTO)") $(ARGS)

test: servers  ## all tests, against real replica sets and object stores
	@cargo build --workspace --quiet
	@cargo test --workspace --quiet --doc
	@scripts/fetch-terraform.sh >/dev/null 2>&1 || echo "tests of places that Terraform makes (acceptance, made::): not run, because there is no terraform 1.11 or newer on PATH"
	@cargo test --workspace --quiet --no-fail-fast --lib --bins --tests $$(scripts/fetch-terraform.sh >/dev/null 2>&1 || echo "-- --skip made::")
	@$(MAKE) --no-print-directory test-alerts
	@$(MAKE) --no-print-directory test-dashboards
	@$(MAKE) --no-print-directory test-charts
	@$(MAKE) --no-print-directory test-orders-api
	@$(MAKE) --no-print-directory test-cluster

test-alerts:  ## alert rules, their runbooks and the Alertmanager example, with promtool and amtool
	@cargo build --workspace --quiet
	@prometheus="$$(scripts/fetch-prometheus.sh | tail -n 1)" && alertmanager="$$(scripts/fetch-alertmanager.sh | tail -n 1)" \
	 && packages="$$(scripts/fetch-pyyaml.sh | tail -n 1)" \
	 && PROMTOOL="$$prometheus/promtool" AMTOOL="$$alertmanager/amtool" PYTHONPATH="$$packages" python3 -B -m unittest discover --start-directory alerts

test-dashboards:  ## Grafana dashboards: drift, the rules of dashboard-linter, every expression with promtool
	@prometheus="$$(scripts/fetch-prometheus.sh | tail -n 1)" && packages="$$(scripts/fetch-pyyaml.sh | tail -n 1)" \
	 && PROMTOOL="$$prometheus/promtool" PYTHONPATH="$$packages" python3 -B -m unittest discover --start-directory dashboards

charts:  ## schemas, copies and READMEs of the charts; and the umbrella with the others in it, ready to install
	@PYTHONPATH="$$(scripts/fetch-pyyaml.sh | tail -n 1)" python3 -B charts/render.py
	@"$$(scripts/fetch-helm-docs.sh | tail -n 1)" --chart-search-root charts --template-files ./_readme.gotmpl --template-files README.md.gotmpl \
	 --sort-values-order file --log-level warning
	@"$$(scripts/fetch-helm.sh | tail -n 1)" dependency update --skip-refresh charts/tidemark >/dev/null

test-charts:  ## charts: every value, every refusal, Helm 3 and 4, Kubernetes 1.31 to 1.34, kube-score, real mongod and nginx, promtool, drift
	@$(if $(SIDECAR),,cargo build --workspace --quiet)
	@prometheus="$$(scripts/fetch-prometheus.sh | tail -n 1)" && alertmanager="$$(scripts/fetch-alertmanager.sh | tail -n 1)" && packages="$$(scripts/fetch-pyyaml.sh | tail -n 1)" \
	 && helm="$$(scripts/fetch-helm.sh | tail -n 1)" && docs="$$(scripts/fetch-helm-docs.sh | tail -n 1)" && conform="$$(scripts/fetch-kubeconform.sh | tail -n 1)" \
	 && score="$$(scripts/fetch-kube-score.sh | tail -n 1)" && schemas="$$(scripts/fetch-kubernetes-schemas.sh | tail -n 1)" && nginx="$$(scripts/fetch-nginx.sh | tail -n 1)" \
	 && mongod="$$(scripts/fetch-mongod.sh | tail -n 1)" && helm4="$$(scripts/fetch-helm4.sh | tail -n 1)" \
	 && HELM="$$helm" HELM4="$$helm4" SIDECAR="$${SIDECAR:-$$(realpath "$${CARGO_TARGET_DIR:-target}")/debug/sidecar}" HELM_DOCS="$$docs" KUBECONFORM="$$conform" KUBE_SCORE="$$score" KUBERNETES_SCHEMAS="$$schemas" NGINX="$$nginx" MONGOD="$$mongod" \
	 PROMTOOL="$$prometheus/promtool" AMTOOL="$$alertmanager/amtool" PYTHONPATH="$$packages" python3 -B -m unittest discover --start-directory tests/charts

test-orders-api: $(orders_api)/node_modules/.package-lock.json  ## the orders service on Node 21, 22 and 24: contract, fuzz, elections, outages, drain, a clean copy
	@for version in $(node_versions); do \
	 bin="$$(scripts/fetch-node.sh $$version | tail -n 1)" && echo "== orders-api on Node $$version" && (cd $(orders_api) && PATH="$$bin:$$PATH" npm run --silent test) || exit; done

lint-orders-api: $(orders_api)/node_modules/.package-lock.json
	@bin="$$(scripts/fetch-node.sh $(lastword $(node_versions)) | tail -n 1)" && cd $(orders_api) && PATH="$$bin:$$PATH" npm run --silent lint

$(orders_api)/node_modules/.package-lock.json: $(orders_api)/package-lock.json
	@bin="$$(scripts/fetch-node.sh $(firstword $(node_versions)) | tail -n 1)" && cd $(orders_api) && PATH="$$bin:$$PATH" npm ci --no-audit --no-fund --loglevel=error >&2
	@touch $@

test-terraform:  ## Terraform without a cloud: every module and root against the real schemas, plans by policy, roles judged as data, drift
	@terraform="$$(scripts/fetch-terraform.sh | tail -n 1)" && mirror="$$(scripts/fetch-terraform-mirror.sh | tail -n 1)" && packages="$$(scripts/fetch-jsonschema.sh | tail -n 1)" \
	 && TERRAFORM="$$terraform" TERRAFORM_MIRROR="$$mirror" PYTHONPATH="terraform/testing:terraform:$$packages" terraform/testing/run.py $(ARGS)

test-cluster:  ## the cluster harness, without a cluster
	@cd tests/cluster && python3 -B -m unittest discover --start-directory unit --top-level-directory .

images:  ## build the container images from dockerfiles/ (BASE_IMAGE names the base; without it debootstrap makes one)
	@cargo build --release --quiet -p sidecar -p dr-cli
	@dockerfiles/build.py $(ARGS)

test-images: images  ## what the images promise: size, user, no shell, labels, and that they start
	@python3 -B -m unittest discover --start-directory tests/images

cluster-up:  ## a real one-node Kubernetes on this machine, for tests (docs/cluster.md)
	@cd tests/cluster && python3 -B -m harness up

cluster-down:  ## stop it; WIPE=1 removes its state, too
	@cd tests/cluster && python3 -B -m harness down $(if $(WIPE),--wipe)

e2e:  ## end-to-end tests on that cluster, or on the one that KUBECONFIG names (ARGS=e2e.test_node.Volumes)
	@$(if $(KUBECONFIG),,$(MAKE) --no-print-directory images)
	@cd tests/cluster && python3 -B -m e2e $(ARGS)

e2e-small:  # those that need no images, when the cluster's parts are built; a line says whether they ran, and why not
	@cd tests/cluster && python3 -B -m e2e --small

test-delivery:  ## workflows, GitOps with the real definitions of Argo CD, promotion, releases, and the log collector over recorded logs
	@packages="$$(scripts/fetch-pyyaml.sh | tail -n 1)" && helm="$$(scripts/fetch-helm.sh | tail -n 1)" && conform="$$(scripts/fetch-kubeconform.sh | tail -n 1)" \
	 && schemas="$$(scripts/fetch-kubernetes-schemas.sh | tail -n 1)" && argo="$$(scripts/fetch-argo-schemas.sh | tail -n 1)" && crane="$$(scripts/fetch-crane.sh | tail -n 1)" \
	 && actionlint="$$(scripts/fetch-actionlint.sh | tail -n 1)" && shellcheck="$$(scripts/fetch-shellcheck.sh | tail -n 1)" \
	 && collector="$$(scripts/fetch-log-collector.sh | tail -n 1)" \
	 && HELM="$$helm" KUBECONFORM="$$conform" KUBERNETES_SCHEMAS="$$schemas" ARGO_SCHEMAS="$$argo" CRANE="$$crane" ACTIONLINT="$$actionlint" SHELLCHECK="$$shellcheck" \
	 LOG_COLLECTOR="$$collector" PYTHONPATH="$$packages" python3 -B -m unittest discover --start-directory tests/delivery

# `docs` and `tests/docs` are folders.
.PHONY: test-docs docs
test-docs:  ## documents: every command run or parsed, links, names of tests, generated pages (DOCS_PAGE=docs/drills.md runs one)
	@cargo build --workspace --quiet
	@mongod="$$(scripts/fetch-mongod.sh | tail -n 1)" && helm="$$(scripts/fetch-helm.sh | tail -n 1)" && terraform="$$(scripts/fetch-terraform.sh | tail -n 1)" \
	 && packages="$$(scripts/fetch-pyyaml.sh | tail -n 1)" && scripts/fetch-age.sh >/dev/null \
	 && MONGOD="$$mongod" HELM="$$helm" TERRAFORM="$$terraform" PYTHONPATH="$$packages" DOCS_PAGE="$(DOCS_PAGE)" python3 -B -m unittest discover --start-directory tests/docs $(ARGS)

docs:  ## generated pages of the documents: command lines
	@cargo build --workspace --quiet
	@tests/docs/render.py

ci-packages:  # Debian's packages for the tests, in a bare container of a pipeline
	@scripts/install-ci-packages.sh

dist: $(if $(PROGRAMS),,release-programs)  # archives of the programs with their sums (VERSION=0.2.0)
	@scripts/release.py dist --version "$(version)" --programs "$(or $(PROGRAMS),$(programs))"

release-programs:
	@CARGO_PROFILE_RELEASE_LTO=thin cargo build --release --quiet --locked -p sidecar -p dr-cli

sbom:  # lists of components, CycloneDX, of the lock files (VERSION=0.2.0)
	@scripts/release.py sbom --version "$(version)"

image-archives:  # build the container images from programs that are there (PROGRAMS names their folder)
	@$(if $(PROGRAMS),mkdir -p target/release && install --target-directory=target/release $(PROGRAMS)/sidecar $(PROGRAMS)/dr-cli)
	@dockerfiles/build.py $(ARGS)

registry-login:  # short-lived credentials for a registry of ECR or ACR (REGISTRY=host)
	@scripts/registry-login.sh "$(REGISTRY)"

publish-images:  # put the images into a registry and write their digests to target/release-files/release.json (REGISTRY=host VERSION=0.2.0)
	@scripts/release.py images --registry "$(REGISTRY)" --version "$(version)" --archives "$(or $(ARCHIVES),$${TIDEMARK_CACHE:-$${XDG_CACHE_HOME:-$$HOME/.cache}/tidemark}/cluster/images)"

publish-charts:  # put the charts into a registry (REGISTRY=host VERSION=0.2.0)
	@scripts/release.py charts --registry "$(REGISTRY)" --version "$(version)"

sign:  # sign all that target/release-files names, keyless; needs the OIDC token of a workflow
	@scripts/release.py sign $(ARGS)

publish-release:  # the release page of GitHub (VERSION=0.2.0)
	@scripts/release.py publish --version "$(version)"

promote:  ## write the digests of a release into the next environment (FROM=dev TO=staging, or RELEASE=file TO=dev; ROLLBACK=1)
	@scripts/promote.py $(if $(FROM),--from $(FROM)) --to "$(TO)" $(if $(RELEASE),--release $(RELEASE)) $(if $(ROLLBACK),--rollback)

promotion-request:  # a pull request with what `make promote` changed (TO=staging)
	@scripts/promotion-request.sh "$(TO)"

terraform-roots:  # which root modules there are, as a matrix for a workflow
	@scripts/terraform-roots.py

terraform-validate:  # one root module, without its state (ROOT=aws/dev/20-cluster)
	@scripts/terraform-root.sh validate "$(ROOT)"

terraform-plan:  # what would change, and its digest (ROOT=aws/dev/20-cluster)
	@scripts/terraform-root.sh plan "$(ROOT)"

terraform-apply:  # apply the plan that was approved, or nothing (ROOT=aws/dev/20-cluster EXPECTED=digest, or APPROVED=folder of that plan)
	@EXPECTED="$(if $(APPROVED),$$(cat "$(APPROVED)/digest"),$(EXPECTED))" scripts/terraform-root.sh apply "$(ROOT)"

servers:
	@for server in mongod versitygw azurite age prometheus alertmanager pyyaml chromium; do scripts/fetch-$$server.sh >/dev/null || exit; done

bench:  ## speed and memory, as ratios in one run (MONGODUMP, MONGORESTORE name peers)
	@cargo build --release --quiet -p sidecar -p dr-cli -p e2e
	@$(programs)/bench $(ARGS)

soak: servers  ## SEEDS=n random histories, sidecar and expiry killed KILLS=n times, a second S3 server
	@cargo build --workspace --quiet
	@TIDEMARK_SEEDS=$(or $(SEEDS),100) cargo test --workspace --quiet --test differential -- --nocapture
	@TIDEMARK_KILLS=$(or $(KILLS),200) cargo test --workspace --quiet --test crash -- --nocapture a_sidecar_killed_at_any_moment
	@TIDEMARK_KILLS=$(or $(KILLS),200) cargo test --workspace --quiet --test acceptance -- --nocapture an_expiry_that_is_killed
	@PYTHONPATH="$$(scripts/fetch-pyyaml.sh | tail -n 1)" PROMTOOL="$$(scripts/fetch-prometheus.sh | tail -n 1)/promtool" python3 -B alerts/mutants.py
	@scripts/fetch-minio.sh >/dev/null && cargo test --workspace --quiet --test s3 --test proof -- --ignored

lint:  ## formatting, clippy, dependency fences, eslint
	@cargo fmt --all --check
	@cargo clippy --workspace --all-targets --quiet -- -D warnings
	@if command -v cargo-deny >/dev/null; then cargo deny --log-level error check bans licenses sources; \
	 else echo "lint: cargo-deny is not installed; dependency fences were not checked (cargo install cargo-deny)"; fi
	@$(MAKE) --no-print-directory lint-orders-api

fmt:  ## format the code
	@cargo fmt --all
