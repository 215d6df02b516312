{{- /* For the notes: Secrets of yours that the values name and that are not there, or lack a key. Nothing without a cluster. */ -}}
{{- define "mongodb.attention" -}}
{{- $recovers := eq .Values.mode "recovery" -}}
{{- $passwords := list -}}
{{- range $name, $_ := include "mongodb.users" . | fromJson -}}{{- $passwords = append $passwords (printf "password-%s" $name) -}}{{- end -}}
{{- if include "mongodb.acceptsKeyfile" . -}}{{- $passwords = append $passwords "keyfile" -}}{{- end -}}
{{- $asked := list (dict "value" "auth.existingSecret" "name" .Values.auth.existingSecret "keys" $passwords) -}}
{{- if .Values.tls.enabled -}}
{{- $asked = append $asked (dict "value" "tls.existingSecret" "name" .Values.tls.existingSecret "keys" (list "tls-combined.pem" "ca.crt") "from" "file") -}}
{{- end -}}
{{- if or .Values.sidecar.enabled $recovers -}}
{{- $example := ternary (list "AZURE_STORAGE_SAS_TOKEN") (list "AWS_ACCESS_KEY_ID" "AWS_SECRET_ACCESS_KEY") (hasPrefix "azblob:" .Values.archive.url) -}}
{{- $asked = append $asked (dict "value" "archive.credentials.existingSecret" "name" .Values.archive.credentials.existingSecret "example" $example) -}}
{{- $asked = append $asked (dict "value" "archive.caSecret" "name" .Values.archive.caSecret "keys" (list "ca.crt") "from" "file") -}}
{{- end -}}
{{- if include "mongodb.isScheduled" .Values.retention.schedule -}}
{{- $asked = append $asked (dict "value" "retention.existingSecret" "name" .Values.retention.existingSecret "example" (list "AWS_ACCESS_KEY_ID" "AWS_SECRET_ACCESS_KEY")) -}}
{{- end -}}
{{- if $recovers -}}
{{- $asked = append $asked (dict "value" "recovery.archive.existingSecret" "name" .Values.recovery.archive.existingSecret "example" (list "AWS_ACCESS_KEY_ID" "AWS_SECRET_ACCESS_KEY")) -}}
{{- $asked = append $asked (dict "value" "recovery.identitySecret" "name" .Values.recovery.identitySecret "keys" (list "identity.txt") "from" "file") -}}
{{- end -}}
{{- if or (lookup "v1" "ServiceAccount" .Release.Namespace "default") (lookup "v1" "Namespace" "" "default") -}}
{{- range $secret := $asked -}}
{{- if $secret.name -}}
{{- $found := lookup "v1" "Secret" $.Release.Namespace $secret.name -}}
{{- $missing := list -}}
{{- range $secret.keys }}{{- if not (hasKey ($found.data | default dict) .) }}{{- $missing = append $missing . }}{{- end }}{{- end -}}
{{- if not $found }}

ATTENTION: there is no Secret {{ $secret.name }} ({{ $secret.value }}) in namespace {{ $.Release.Namespace }}, and pods wait until it is there:

  kubectl --namespace {{ $.Release.Namespace }} create secret generic {{ $secret.name }}{{ range $secret.keys | default $secret.example }} --from-{{ $secret.from | default "literal" }}={{ . }}=…{{ end }}
{{- else if $missing }}

ATTENTION: the Secret {{ $secret.name }} ({{ $secret.value }}) in namespace {{ $.Release.Namespace }} has no {{ join ", no " $missing }}, and pods wait until it is there:

  kubectl --namespace {{ $.Release.Namespace }} edit secret {{ $secret.name }}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
