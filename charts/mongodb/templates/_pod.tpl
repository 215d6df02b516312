{{- /* A member. */ -}}
{{- define "mongodb.podTemplate" -}}
metadata:
  labels:
    {{- /* Without versions: a new chart that changes nothing in a pod restarts no database. */}}
    {{- include "mongodb.selectorLabels" . | nindent 4 }}
    app.kubernetes.io/part-of: tidemark
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    kubectl.kubernetes.io/default-container: mongod
    checksum/mongod.conf: {{ include "mongodb.conf" . | sha256sum }}
    {{- if .Values.sidecar.enabled }}
    checksum/sidecar.toml: {{ include "mongodb.sidecarToml" . | sha256sum }}
    checksum/archive-credentials: {{ toJson .Values.archive.credentials | sha256sum }}
    {{- end }}
    {{- with .Values.auth.revision }}
    tidemark/credentials-revision: {{ toString . | quote }}
    {{- end }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  {{- include "mongodb.podDefaults" . | nindent 2 }}
  terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- $term := dict "topologyKey" "kubernetes.io/hostname" "labelSelector" (dict "matchLabels" (include "mongodb.selectorLabels" . | fromYaml)) }}
  {{- if eq .Values.affinityPreset "hard" }}
  affinity:
    podAntiAffinity:
      requiredDuringSchedulingIgnoredDuringExecution: {{- toYaml (list $term) | nindent 8 }}
  {{- else if eq .Values.affinityPreset "soft" }}
  affinity:
    podAntiAffinity:
      preferredDuringSchedulingIgnoredDuringExecution: {{- toYaml (list (dict "weight" 100 "podAffinityTerm" $term)) | nindent 8 }}
  {{- end }}
  {{- if .Values.topologySpread.enabled }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: {{ .Values.topologySpread.topologyKey }}
      whenUnsatisfiable: {{ .Values.topologySpread.whenUnsatisfiable }}
      labelSelector:
        matchLabels: {{- include "mongodb.selectorLabels" . | nindent 10 }}
  {{- end }}
  initContainers:
    {{- include "mongodb.containerInstall" . | nindent 4 }}
    {{- include "mongodb.containerMember" . | nindent 4 }}
    {{- if .Values.sidecar.enabled }}
    {{- include "mongodb.containerSidecar" . | nindent 4 }}
    {{- end }}
  containers:
    {{- include "mongodb.containerMongod" . | nindent 4 }}
  volumes:
    - name: config
      configMap: {name: {{ include "mongodb.fullname" . }}}
    - name: auth
      secret: {secretName: {{ include "mongodb.authSecret" . }}}
    - name: program
      emptyDir: {sizeLimit: 256Mi}
    - name: tmp
      emptyDir: {sizeLimit: 64Mi}
    {{- if .Values.tls.enabled }}
    - name: tls
      secret: {secretName: {{ include "mongodb.tlsSecret" . }}}
    {{- end }}
    {{- if .Values.sidecar.enabled }}
    - name: sidecar-tmp
      emptyDir: {sizeLimit: 64Mi}
    {{- with include "mongodb.archiveVolumes" (list . "volumes") | trim }}{{ . | nindent 4 }}{{ end }}
    {{- end }}
{{- end -}}

{{- /* Of what it says: a comment restarts nobody. */ -}}
{{- define "mongodb.podChecksum" -}}
{{- include "mongodb.podTemplate" . | fromYaml | toJson | sha256sum -}}
{{- end -}}
