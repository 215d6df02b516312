{{- define "tenant.namespace" -}}
{{- if not .Values.name -}}
{{- fail "tenant: name is empty: set name to the name of the tenant, for example --set name=shop" -}}
{{- end -}}
{{- $namespace := .Values.namespace | default .Values.name -}}
{{- if or (has $namespace (list "default" "kube-system" "kube-public" "kube-node-lease")) (hasPrefix "kube-" $namespace) -}}
{{- fail (printf "tenant: the namespace would be `%s`, which belongs to the cluster: set name or namespace to another one" $namespace) -}}
{{- end -}}
{{- $namespace -}}
{{- end -}}

{{- define "tenant.labels" -}}
app.kubernetes.io/name: tenant
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/part-of: tidemark
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
tidemark/tenant: {{ .Values.name }}
{{- end -}}
