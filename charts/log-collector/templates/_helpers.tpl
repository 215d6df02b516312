{{- define "log-collector.fullname" -}}
{{- .Values.fullnameOverride | default (printf "%s-log-collector" .Release.Name) -}}
{{- end -}}

{{- define "log-collector.namespace" -}}
{{- .Values.namespace.name | default .Release.Namespace -}}
{{- end -}}

{{- define "log-collector.selectorLabels" -}}
app.kubernetes.io/name: log-collector
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "log-collector.labels" -}}
{{ include "log-collector.selectorLabels" . }}
app.kubernetes.io/component: log-collector
app.kubernetes.io/part-of: tidemark
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "log-collector.image" -}}
{{- $registry := .Values.image.registry | default (.Values.global).imageRegistry -}}
{{- if $registry }}{{ trimSuffix "/" $registry }}/{{ end -}}
{{- .Values.image.repository -}}:{{ .Values.image.tag | default .Chart.AppVersion -}}
{{- if .Values.image.digest }}@{{ .Values.image.digest }}{{ end -}}
{{- end -}}

{{/* Names of the exporters, as a JSON list. */}}
{{- define "log-collector.exporters" -}}
{{- $names := list -}}
{{- with .Values.sinks -}}
{{- if .otlp.endpoint }}{{ $names = append $names (ternary "otlp_grpc/otlp" "otlp_http/otlp" (hasPrefix "grpc://" .otlp.endpoint)) }}{{ end -}}
{{- if .loki.endpoint }}{{ $names = append $names "otlp_http/loki" }}{{ end -}}
{{- if .cloudwatch.logGroup }}{{ $names = append $names "otlp_http/cloudwatch" }}{{ end -}}
{{- if .logAnalytics.existingSecret }}{{ $names = append $names "azure_monitor" }}{{ end -}}
{{- if .debug }}{{ $names = append $names "debug" }}{{ end -}}
{{- end -}}
{{- $names | toJson -}}
{{- end -}}

{{- define "log-collector.validate" -}}
{{- if and .Values.namespace.create (not .Values.namespace.name) -}}
{{- fail "log-collector: namespace.create is true, but namespace.name is empty: set namespace.name, for example to log-collector" -}}
{{- end -}}
{{- if and .Values.namespace.create (eq .Values.namespace.name .Release.Namespace) -}}
{{- fail (printf "log-collector: namespace.name is `%s`, the namespace of the release, which is there already: set namespace.create=false, or another namespace.name" .Values.namespace.name) -}}
{{- end -}}
{{- if not (isAbs .Values.logsPath) -}}
{{- fail (printf "log-collector: logsPath is `%s`, which is no folder of a node: write the whole path, for example /var/log/pods" .Values.logsPath) -}}
{{- end -}}
{{- if eq (include "log-collector.exporters" .) "[]" -}}
{{- fail "log-collector: no sink is named, and the logs would go nowhere: set one of sinks.otlp.endpoint, sinks.loki.endpoint, sinks.cloudwatch.logGroup or sinks.logAnalytics.existingSecret" -}}
{{- end -}}
{{- with .Values.sinks.cloudwatch -}}
{{- if and .logGroup (not (and .region .logStream)) -}}
{{- fail "log-collector: sinks.cloudwatch.logGroup needs sinks.cloudwatch.region and sinks.cloudwatch.logStream: set both" -}}
{{- end -}}
{{- end -}}
{{- end -}}
