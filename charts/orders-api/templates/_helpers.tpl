{{- define "orders-api.fullname" -}}
{{- .Values.fullnameOverride | default (printf "%s-orders-api" .Release.Name) -}}
{{- end -}}

{{- define "orders-api.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "orders-api.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{- define "orders-api.commonLabels" -}}
app.kubernetes.io/part-of: tidemark
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "orders-api.selectorLabels" -}}
app.kubernetes.io/name: orders-api
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "orders-api.labels" -}}
{{ include "orders-api.selectorLabels" . }}
{{ include "orders-api.commonLabels" . }}
{{- end -}}

{{- define "orders-api.edgeSelectorLabels" -}}
app.kubernetes.io/name: orders-api-edge
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "orders-api.edgeLabels" -}}
{{ include "orders-api.edgeSelectorLabels" . }}
{{ include "orders-api.commonLabels" . }}
{{- end -}}

{{- /* (list $ IMAGE) */ -}}
{{- define "orders-api.image" -}}
{{- $root := index . 0 -}}{{- $image := index . 1 -}}
{{- $registry := $image.registry | default ($root.Values.global).imageRegistry -}}
{{- if $registry }}{{ trimSuffix "/" $registry }}/{{ end -}}
{{- $image.repository -}}:{{ $image.tag | default $root.Chart.AppVersion -}}
{{- if $image.digest }}@{{ $image.digest }}{{ end -}}
{{- end -}}

{{- define "orders-api.imagePullSecrets" -}}
{{- with concat .Values.imagePullSecrets ((.Values.global).imagePullSecrets | default list) | uniq }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "orders-api.databaseSecret" -}}
{{- if .Values.database.url }}{{ include "orders-api.fullname" . }}{{ else }}{{ tpl .Values.database.existingSecret . }}{{ end -}}
{{- end -}}

{{- define "orders-api.dnsEgress" -}}
{{- with .Values.networkPolicy.dns -}}
- to:
    {{- toYaml .to | nindent 4 }}
    {{- range .ipBlocks }}
    - ipBlock: {cidr: {{ . }}}
    {{- end }}
  ports:
    - {port: 53, protocol: UDP}
    - {port: 53, protocol: TCP}
{{- end }}
{{- end -}}

{{- /*
With an autoscaler: as many as there are, since any other number would undo its work at each upgrade, and none would be 1 for Kubernetes
when the upgrade before had one. Rendered without a cluster there is none, or a GitOps tool would bring it back to that all the time.
*/ -}}
{{- define "orders-api.replicas" -}}
{{- $scaling := .Values.autoscaling -}}
{{- if not $scaling.enabled -}}
{{- .Values.replicaCount -}}
{{- else -}}
{{- $there := lookup "apps/v1" "Deployment" .Release.Namespace (include "orders-api.fullname" .) -}}
{{- if or $there (lookup "v1" "ServiceAccount" .Release.Namespace "default") (lookup "v1" "Namespace" "" "default") -}}
{{- max (int $scaling.minReplicas) (min (int $scaling.maxReplicas) (int (($there).spec).replicas)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "orders-api.topologySpread" -}}
{{- if .Values.topologySpread.enabled }}
topologySpreadConstraints:
{{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: {{ $.Values.topologySpread.whenUnsatisfiable }}
    labelSelector:
      matchLabels: {{- include "orders-api.selectorLabels" $ | nindent 8 }}
    # Pods of an old revision are not counted, or a rollout could not place the new ones.
    matchLabelKeys: [pod-template-hash]
{{- end }}
{{- end }}
{{- end -}}

{{- define "orders-api.validate" -}}
{{- $values := .Values -}}
{{- if and $values.database.url $values.database.existingSecret (ne $values.database.existingSecret "{{ .Release.Name }}-mongodb-orders") -}}
{{- fail (printf "orders-api: database.url and database.existingSecret (`%s`) are both set, and it would not be clear which one counts: remove one of them" $values.database.existingSecret) -}}
{{- end -}}
{{- if not (or $values.database.url $values.database.existingSecret) -}}
{{- fail "orders-api: neither database.existingSecret nor database.url is set, and the API has no database: set database.existingSecret to a Secret with the key MONGODB_URL" -}}
{{- end -}}
{{- if and $values.database.url (not (regexMatch "^mongodb(\\+srv)?://.+" $values.database.url)) -}}
{{- fail "orders-api: database.url is no connection string: write mongodb://USER:PASSWORD@HOST:27017/DATABASE?replicaSet=NAME" -}}
{{- end -}}
{{- if and (not $values.autoscaling.enabled) (lt (int $values.replicaCount) 2) -}}
{{- fail (printf "orders-api: replicaCount is %d, and each restart or eviction would be an outage: set replicaCount to 2 or more" (int $values.replicaCount)) -}}
{{- end -}}
{{- if and $values.autoscaling.enabled (lt (int $values.autoscaling.minReplicas) 2) -}}
{{- fail (printf "orders-api: autoscaling.minReplicas is %d, and each restart or eviction would be an outage: set it to 2 or more" (int $values.autoscaling.minReplicas)) -}}
{{- end -}}
{{- if and $values.autoscaling.enabled (lt (int $values.autoscaling.maxReplicas) (int $values.autoscaling.minReplicas)) -}}
{{- fail (printf "orders-api: autoscaling.maxReplicas is %d, less than autoscaling.minReplicas (%d): raise it" (int $values.autoscaling.maxReplicas) (int $values.autoscaling.minReplicas)) -}}
{{- end -}}
{{- if and $values.autoscaling.enabled (not ($values.resources.requests).cpu) -}}
{{- fail "orders-api: autoscaling.enabled needs resources.requests.cpu, which utilization is a percentage of: set it, for example to 100m" -}}
{{- end -}}
{{- $least := ternary (int $values.autoscaling.minReplicas) (int $values.replicaCount) $values.autoscaling.enabled -}}
{{- if ge (int $values.pdb.maxUnavailable) $least -}}
{{- fail (printf "orders-api: pdb.maxUnavailable is %d of %d pods, which lets evictions take all of them: set it to %d or less" (int $values.pdb.maxUnavailable) $least (sub $least 1)) -}}
{{- end -}}
{{- if and $values.httpRoute.enabled (not $values.httpRoute.parentRefs) -}}
{{- fail "orders-api: httpRoute.enabled needs a gateway: set httpRoute.parentRefs, for example to [{name: public, namespace: gateways}]" -}}
{{- end -}}
{{- if and $values.httpRoute.rateLimit.enabled (not $values.httpRoute.enabled) -}}
{{- fail "orders-api: httpRoute.rateLimit.enabled limits a route that is not there: set httpRoute.enabled=true, or use edge.rate or a rule of your ingress" -}}
{{- end -}}
{{- /* A number of proxies is right when nobody but the last of them can connect. */ -}}
{{- $exposed := ternary "service.type" "" (and $values.edge.enabled (ne $values.service.type "ClusterIP")) -}}
{{- if $values.httpRoute.enabled }}{{- $exposed = "httpRoute.enabled" -}}{{- end -}}
{{- if $values.ingress.enabled }}{{- $exposed = "ingress.enabled" -}}{{- end -}}
{{- if and $exposed $values.networkPolicy.enabled (not $values.networkPolicy.from) (eq (toString $values.trustProxy) "") -}}
{{- fail (printf "orders-api: %s lets everybody connect to the API while networkPolicy.from is empty, and it would believe whatever address a pod gives in X-Forwarded-For, so that no limit holds: set networkPolicy.from to the ingress controller, the gateway or the subnets of the load balancer, or trustProxy to the addresses of the proxies" $exposed) -}}
{{- end -}}
{{- if ge (int $values.drainSeconds) (int $values.terminationGracePeriodSeconds) -}}
{{- fail (printf "orders-api: drainSeconds is %d, and terminationGracePeriodSeconds (%d) leaves no time to finish requests: raise terminationGracePeriodSeconds" (int $values.drainSeconds) (int $values.terminationGracePeriodSeconds)) -}}
{{- end -}}
{{- end -}}
