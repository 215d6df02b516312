{{- /*
mongod.conf: what the values say, then `mongod.extraConfig` over it. Nobody needs the localhost exception, by which whoever may forward a
port could be first to make a user: the members' containers sign in as members from the beginning.
*/ -}}
{{- define "mongodb.conf" -}}
{{- $mongod := .Values.mongod -}}
{{- $config := dict
    "storage" (dict
      "dbPath" "/data/db"
      "oplogMinRetentionHours" $mongod.oplogMinRetentionHours
      "journal" (dict "commitIntervalMs" $mongod.journalCommitIntervalMs)
      "wiredTiger" (dict "engineConfig" (dict "cacheSizeGB" (include "mongodb.cacheSizeGB" . | float64))))
    "replication" (dict "replSetName" .Values.replicaSetName "oplogSizeMB" $mongod.oplogSizeMB)
    "net" (dict "port" 27017 "bindIpAll" true "maxIncomingConnections" $mongod.maxIncomingConnections)
    "security" (dict "authorization" "enabled")
    "operationProfiling" (dict "slowOpThresholdMs" $mongod.slowOpThresholdMs "slowOpSampleRate" $mongod.slowOpSampleRate)
    "setParameter" (dict "enableLocalhostAuthBypass" false "transactionLifetimeLimitSeconds" $mongod.transactionLifetimeLimitSeconds)
-}}
{{- if ne .Values.auth.clusterAuthMode "keyFile" -}}
{{- $_ := set $config.security "clusterAuthMode" .Values.auth.clusterAuthMode -}}
{{- end -}}
{{- if include "mongodb.acceptsKeyfile" . -}}
{{- $_ := set $config.security "keyFile" "/opt/tidemark/keyfile" -}}
{{- end -}}
{{- if .Values.tls.enabled -}}
{{- $_ := set $config.net "tls" (dict "mode" .Values.tls.mode "certificateKeyFile" "/etc/tidemark/tls/tls-combined.pem" "CAFile" "/etc/tidemark/tls/ca.crt" "allowConnectionsWithoutCertificates" true) -}}
{{- end -}}
{{- if $mongod.extraConfig -}}
{{- $extra := tpl $mongod.extraConfig . | fromYaml -}}
{{- if $extra.Error -}}
{{- fail (printf "mongodb: mongod.extraConfig is not YAML (%s): write it as in mongod.conf, for example `net: {compression: {compressors: zstd}}`" $extra.Error) -}}
{{- end -}}
{{- $config = mergeOverwrite $config $extra -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{- /* Whom `sidecar member tend` lets in, and where the password is: a file, so that a changed Secret changes the user. */ -}}
{{- define "mongodb.usersFile" -}}
{{- $list := list -}}
{{- range $name, $user := include "mongodb.users" . | fromJson -}}
{{- $list = append $list (dict "name" $name "roles" $user.roles "passwordFile" (printf "/etc/tidemark/auth/password-%s" $name) "afterRestore" (default false $user.afterRestore)) -}}
{{- end -}}
{{- toPrettyJson $list -}}
{{- end -}}
