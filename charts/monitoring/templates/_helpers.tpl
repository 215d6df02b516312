{{- define "monitoring.fullname" -}}
{{- .Values.fullnameOverride | default (printf "%s-monitoring" .Release.Name) -}}
{{- end -}}

{{- define "monitoring.commonLabels" -}}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/part-of: tidemark
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "monitoring.labels" -}}
app.kubernetes.io/name: monitoring
{{ include "monitoring.commonLabels" . }}
{{- end -}}

{{- /* (list $ IMAGE) */ -}}
{{- define "monitoring.image" -}}
{{- $root := index . 0 -}}{{- $image := index . 1 -}}
{{- $registry := $image.registry | default ($root.Values.global).imageRegistry -}}
{{- if $registry }}{{ trimSuffix "/" $registry }}/{{ end -}}
{{- $image.repository -}}:{{ $image.tag | default $root.Chart.AppVersion -}}
{{- if $image.digest }}@{{ $image.digest }}{{ end -}}
{{- end -}}

{{- define "monitoring.imagePullSecrets" -}}
{{- with concat .Values.imagePullSecrets ((.Values.global).imagePullSecrets | default list) | uniq }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "monitoring.namespaces" -}}
{{- .Values.prometheus.namespaces | default (list .Release.Namespace .Values.nodeNamespace) | compact | uniq | toJson -}}
{{- end -}}

{{- define "monitoring.validate" -}}
{{- if and .Values.alertmanager.enabled (not .Values.prometheus.enabled) -}}
{{- fail "monitoring: alertmanager.enabled without prometheus.enabled would be told of nothing: set prometheus.enabled=true, or use the Alertmanager of your operator" -}}
{{- end -}}
{{- if and .Values.alertmanager.enabled (not .Values.alertmanager.config) (not .Values.alertmanager.pageUrl) -}}
{{- fail "monitoring: alertmanager.pageUrl is empty, and nobody would be called: set it to a webhook, or give the whole alertmanager.config" -}}
{{- end -}}
{{- if and .Values.alertmanager.config (or .Values.alertmanager.pageUrl .Values.alertmanager.ticketUrl .Values.alertmanager.deadManUrl) -}}
{{- fail "monitoring: alertmanager.config and the addresses beside it are both set, and only the former would count: remove one of them" -}}
{{- end -}}
{{- end -}}
