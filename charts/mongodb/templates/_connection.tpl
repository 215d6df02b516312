{{- /* Where members are and how to sign in. Host names are those of the set's configuration. */ -}}
{{- define "mongodb.domain" -}}
{{- printf "%s.%s.svc.%s" (include "mongodb.headless" .) .Release.Namespace .Values.clusterDomain -}}
{{- end -}}

{{- define "mongodb.hosts" -}}
{{- $hosts := list -}}
{{- range $ordinal := until (int .Values.replicaCount) -}}
{{- $hosts = append $hosts (printf "%s-%d.%s:27017" (include "mongodb.fullname" $) $ordinal (include "mongodb.domain" $)) -}}
{{- end -}}
{{- join "," $hosts -}}
{{- end -}}

{{- define "mongodb.tlsOptions" -}}
{{- if .root.Values.tls.enabled }}&tls=true&tlsCAFile={{ .caFile }}{{ end -}}
{{- end -}}

{{- /* (dict "root" $ "user" NAME "password" TEXT "database" NAME "caFile" PATH "more" OPTIONS) */ -}}
{{- define "mongodb.setUrl" -}}
mongodb://{{ .user }}:{{ .password }}@{{ .hosts | default (include "mongodb.hosts" .root) }}/{{ .database }}?replicaSet={{ .root.Values.replicaSetName }}&authSource=admin&retryWrites=true&w=majority{{ include "mongodb.tlsOptions" . }}{{ .more }}
{{- end -}}

{{- /* Through a port-forward to one member. */ -}}
{{- define "mongodb.portForwardUrl" -}}
mongodb://{{ .user }}:{{ .password }}@127.0.0.1:27017/{{ .database }}?directConnection=true&authSource=admin&readPreference=secondaryPreferred{{ include "mongodb.tlsOptions" . }}
{{- end -}}

{{- /* Without a user: for the probe and the member container, beside mongod. */ -}}
{{- define "mongodb.memberEnv" -}}
- name: TIDEMARK_MEMBER_URI
  value: mongodb://127.0.0.1:27017/?directConnection=true{{ include "mongodb.tlsOptions" (dict "root" . "caFile" "/etc/tidemark/tls/ca.crt") }}
  {{- /* As a member of the set: whoever has the members' certificate is one. */ -}}
  {{- if eq (include "mongodb.sends" .) "x509" }}&tlsCertificateKeyFile=/etc/tidemark/tls/tls-combined.pem&authMechanism=MONGODB-X509&authSource=$external{{ end }}
{{- end -}}

{{- /* What a member signs in with, at other members and at its own. */ -}}
{{- define "mongodb.sends" -}}
{{- ternary "x509" "keyFile" (has .Values.auth.clusterAuthMode (list "sendX509" "x509")) -}}
{{- end -}}

{{- /* Not empty when members let in who has the keyfile. */ -}}
{{- define "mongodb.acceptsKeyfile" -}}
{{- if ne .Values.auth.clusterAuthMode "x509" }}true{{ end -}}
{{- end -}}

{{- /*
The password comes into the URI when the container starts: (list $ VARIABLE USER OPTIONS "member"|""). The driver finds the members
from the service, so that another number of them restarts nobody.
*/ -}}
{{- define "mongodb.uriEnv" -}}
{{- $root := index . 0 -}}
{{- $seeds := printf "%s%s.%s.svc.%s:%v" (ternary (printf "$(POD_NAME).%s:27017," (include "mongodb.domain" $root)) "" (eq (index . 4) "member")) (include "mongodb.fullname" $root) $root.Release.Namespace $root.Values.clusterDomain $root.Values.service.port -}}
- name: MONGODB_PASSWORD
  valueFrom:
    secretKeyRef: {name: {{ include "mongodb.authSecret" $root }}, key: password-{{ index . 2 }}}
- name: {{ index . 1 }}
  value: {{ include "mongodb.setUrl" (dict "root" $root "user" (index . 2) "password" "$(MONGODB_PASSWORD)" "database" "" "caFile" "/etc/tidemark/tls/ca.crt" "more" (index . 3) "hosts" $seeds) | quote }}
{{- end -}}

{{- define "mongodb.tlsSecret" -}}
{{- .Values.tls.existingSecret | default (printf "%s-tls" (include "mongodb.fullname" .)) -}}
{{- end -}}

{{- define "mongodb.authSecret" -}}
{{- .Values.auth.existingSecret | default (printf "%s-auth" (include "mongodb.fullname" .)) -}}
{{- end -}}

{{- define "mongodb.archiveSecret" -}}
{{- with .Values.archive.credentials -}}
{{- if .existingSecret }}{{ .existingSecret }}{{ else if .env }}{{ include "mongodb.fullname" $ }}-archive{{ end -}}
{{- end -}}
{{- end -}}

{{- /* Volumes and mounts of containers that open the archive: (list $ "volumes"|"mounts") */ -}}
{{- define "mongodb.archiveVolumes" -}}
{{- $root := index . 0 -}}{{- $archive := $root.Values.archive -}}
{{- if $archive.caSecret }}
- name: archive-ca
  {{- if eq (index . 1) "volumes" }}
  secret: {secretName: {{ $archive.caSecret }}}
  {{- else }}
  mountPath: /etc/tidemark/archive-ca
  readOnly: true
  {{- end }}
{{- end }}
{{- if $archive.volume }}
- name: archive
  {{- if eq (index . 1) "volumes" }}
  {{- toYaml $archive.volume | nindent 2 }}
  {{- else }}
  mountPath: /archive
  {{- end }}
{{- end }}
{{- end -}}

{{- /* All users, those of Tidemark first, as a JSON object by name. */ -}}
{{- define "mongodb.users" -}}
{{- $admin := dict "db" "admin" -}}
{{- $backup := list (merge (dict "role" "backup") $admin) (merge (dict "role" "clusterMonitor") $admin) -}}
{{- $restore := list (merge (dict "role" "restore") $admin) (merge (dict "role" "readWriteAnyDatabase") $admin) (merge (dict "role" "clusterMonitor") $admin) (dict "role" "readWrite" "db" "config") -}}
{{- /* A drill has collections validated. */ -}}
{{- if .Values.recovery.drill.enabled }}{{- $restore = append $restore (merge (dict "role" "dbAdminAnyDatabase") $admin) }}{{- end -}}
{{- $users := dict -}}
{{- range $name, $user := .Values.users }}{{- if $user }}{{- $_ := set $users $name $user }}{{- end }}{{- end -}}
{{- /* Nothing is archived of a set that is being filled: it would be half of it, and a second lineage beside the one that is restored from. */ -}}
{{- $_ := set $users "tidemark-backup" (dict "roles" $backup "afterRestore" true) -}}
{{- if eq .Values.mode "recovery" }}{{- $_ := set $users "tidemark-restore" (dict "roles" $restore) }}{{- end -}}
{{- toJson $users -}}
{{- end -}}
