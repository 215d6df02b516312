{{- /* Names and labels. */ -}}
{{- define "mongodb.fullname" -}}
{{- .Values.fullnameOverride | default (printf "%s-mongodb" .Release.Name) -}}
{{- end -}}

{{- define "mongodb.headless" -}}
{{- printf "%s-headless" (include "mongodb.fullname" .) -}}
{{- end -}}

{{- define "mongodb.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "mongodb.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{- define "mongodb.expirer" -}}
{{- with .Values.retention.serviceAccount -}}
{{- .name | default (ternary (printf "%s-expirer" (include "mongodb.fullname" $)) "default" .create) -}}
{{- end -}}
{{- end -}}

{{- /* `none` is the sidecar's word for never. */ -}}
{{- define "mongodb.isScheduled" -}}
{{- if not (has . (list "" "none")) }}true{{ end -}}
{{- end -}}

{{- /* Never changes between versions: selectors and volume claim templates are immutable. */ -}}
{{- define "mongodb.selectorLabels" -}}
app.kubernetes.io/name: mongodb
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: server
{{- end -}}

{{- define "mongodb.commonLabels" -}}
app.kubernetes.io/part-of: tidemark
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "mongodb.labels" -}}
{{ include "mongodb.selectorLabels" . }}
{{ include "mongodb.commonLabels" . }}
{{- end -}}

{{- /* Labels of something beside the members: (list $ COMPONENT). */ -}}
{{- define "mongodb.componentLabels" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: mongodb-{{ index . 1 }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{ include "mongodb.commonLabels" $root }}
{{- end -}}

{{- /* What the network policy lets in. */ -}}
{{- define "mongodb.clientLabel" -}}
tidemark/mongodb-client: {{ include "mongodb.fullname" . }}
{{- end -}}

{{- /* (list $ IMAGE DEFAULT-TAG) */ -}}
{{- define "mongodb.image" -}}
{{- $root := index . 0 -}}{{- $image := index . 1 -}}
{{- $registry := $image.registry | default ($root.Values.global).imageRegistry -}}
{{- if $registry }}{{ trimSuffix "/" $registry }}/{{ end -}}
{{- $image.repository -}}:{{ $image.tag | default (index . 2) -}}
{{- if $image.digest }}@{{ $image.digest }}{{ end -}}
{{- end -}}

{{- define "mongodb.sidecarImage" -}}
image: {{ include "mongodb.image" (list . .Values.sidecar.image .Chart.AppVersion) }}
imagePullPolicy: {{ .Values.sidecar.image.pullPolicy }}
{{- end -}}

{{- define "mongodb.imagePullSecrets" -}}
{{- with concat (.Values.imagePullSecrets | default list) ((.Values.global).imagePullSecrets | default list) | uniq }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* What containers without mongod may do; no user of theirs, groups as the pod's. */ -}}
{{- define "mongodb.podDefaults" -}}
{{- include "mongodb.podDefaultsAs" (list . (include "mongodb.serviceAccount" .)) -}}
{{- end -}}

{{- /* The same under another service account: (list $ NAME). */ -}}
{{- define "mongodb.podDefaultsAs" -}}
{{- $root := index . 0 -}}
automountServiceAccountToken: false
enableServiceLinks: false
serviceAccountName: {{ index . 1 }}
{{- include "mongodb.imagePullSecrets" $root }}
securityContext: {{- toYaml $root.Values.podSecurityContext | nindent 2 }}
{{- end -}}
