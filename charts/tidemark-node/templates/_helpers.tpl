{{- define "tidemark-node.fullname" -}}
{{- .Values.fullnameOverride | default (printf "%s-tidemark-node" .Release.Name) -}}
{{- end -}}

{{- define "tidemark-node.namespace" -}}
{{- .Values.namespace.name | default .Release.Namespace -}}
{{- end -}}

{{- define "tidemark-node.selectorLabels" -}}
app.kubernetes.io/name: tidemark-node
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "tidemark-node.labels" -}}
{{ include "tidemark-node.selectorLabels" . }}
app.kubernetes.io/component: node-agent
app.kubernetes.io/part-of: tidemark
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "tidemark-node.image" -}}
{{- $registry := .Values.image.registry | default (.Values.global).imageRegistry -}}
{{- if $registry }}{{ trimSuffix "/" $registry }}/{{ end -}}
{{- .Values.image.repository -}}:{{ .Values.image.tag | default .Chart.AppVersion -}}
{{- if .Values.image.digest }}@{{ .Values.image.digest }}{{ end -}}
{{- end -}}

{{- define "tidemark-node.validate" -}}
{{- if and .Values.namespace.create (not .Values.namespace.name) -}}
{{- fail "tidemark-node: namespace.create is true, but namespace.name is empty: set namespace.name, for example to tidemark-node" -}}
{{- end -}}
{{- if and .Values.namespace.create (eq .Values.namespace.name .Release.Namespace) -}}
{{- fail (printf "tidemark-node: namespace.name is `%s`, the namespace of the release, which is there already: set namespace.create=false, or another namespace.name" .Values.namespace.name) -}}
{{- end -}}
{{- if not (isAbs .Values.logsPath) -}}
{{- fail (printf "tidemark-node: logsPath is `%s`, which is no folder of a node: write the whole path, for example /var/log/pods" .Values.logsPath) -}}
{{- end -}}
{{- end -}}
