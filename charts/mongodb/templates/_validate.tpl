{{- /*
Rules across values. Each sentence names the value, says what follows and what to write instead. What one value alone
may be is in values.schema.json.
*/ -}}
{{- define "mongodb.validate" -}}
{{- include "mongodb.validateSet" . -}}
{{- include "mongodb.validateClusterAuth" . -}}
{{- include "mongodb.validateArchive" . -}}
{{- include "mongodb.validateRetention" . -}}
{{- include "mongodb.validateSecrets" . -}}
{{- include "mongodb.validateRecovery" . -}}
{{- include "mongodb.validateUpgrade" . -}}
{{- end -}}

{{- define "mongodb.validateSet" -}}
{{- $values := .Values -}}
{{- $count := int $values.replicaCount -}}
{{- if gt (len (include "mongodb.fullname" .)) 43 -}}
{{- fail (printf "mongodb: the name `%s` has more than 43 characters, and names of jobs made from it would be too long for Kubernetes: use a shorter release name, or set fullnameOverride" (include "mongodb.fullname" .)) -}}
{{- end -}}
{{- if not (has $count (list 1 3 5)) -}}
{{- fail (printf "mongodb: replicaCount is %d, but a majority needs an odd number of members: set replicaCount to 1, 3 or 5" $count) -}}
{{- end -}}
{{- if and (gt $count 1) (gt (int $values.pdb.maxUnavailable) (div $count 2)) -}}
{{- fail (printf "mongodb: pdb.maxUnavailable is %d of %d members, which lets evictions take the majority: set pdb.maxUnavailable to %d or less" (int $values.pdb.maxUnavailable) $count (div $count 2)) -}}
{{- end -}}
{{- $concern := $values.mongod.defaultWriteConcern | toString -}}
{{- if and (ne $concern "majority") (gt (int $concern) $count) -}}
{{- fail (printf "mongodb: mongod.defaultWriteConcern is %s, but there are %d members, and no write would ever be acknowledged: set it to majority" $concern $count) -}}
{{- end -}}
{{- if not ($values.resources.limits).memory -}}
{{- fail "mongodb: resources.limits.memory is empty, and mongod would size its cache by the memory of the node: set it, for example to 2Gi" -}}
{{- end -}}
{{- $limit := include "mongodb.bytes" $values.resources.limits.memory | float64 -}}
{{- $cache := include "mongodb.cacheSizeGB" . | float64 -}}
{{- if gt (mulf $cache 1073741824.0) (mulf $limit 0.6) -}}
{{- if ne (toString $values.mongod.cacheSizeGB) "" -}}
{{- fail (printf "mongodb: mongod.cacheSizeGB is %v, but connections, sorts and index builds need 40 %% of resources.limits.memory (%v): set mongod.cacheSizeGB to %.2f or less, or raise the limit" $values.mongod.cacheSizeGB $values.resources.limits.memory (divf (floor (mulf (divf $limit 1073741824.0) 60.0)) 100.0)) -}}
{{- else -}}
{{- fail (printf "mongodb: resources.limits.memory is %v, too little for the smallest cache (%.2f GB) and 40 %% beside it: set it to 512Mi or more, or lower mongod.cacheRatio" $values.resources.limits.memory $cache) -}}
{{- end -}}
{{- end -}}
{{- $size := include "mongodb.bytes" $values.persistence.size | float64 -}}
{{- $oplog := mulf (float64 $values.mongod.oplogSizeMB) 1048576.0 -}}
{{- if gt $oplog (mulf $size 0.8) -}}
{{- fail (printf "mongodb: mongod.oplogSizeMB is %v, which leaves no room for data on a volume of %v: set it to %.0f or less, or raise persistence.size" $values.mongod.oplogSizeMB $values.persistence.size (floor (divf (mulf $size 0.8) 1048576.0))) -}}
{{- end -}}
{{- if and $values.tls.enabled (not $values.tls.existingSecret) (not $values.tls.issuerRef.name) -}}
{{- fail "mongodb: tls.enabled needs a certificate: set tls.existingSecret to a Secret with tls-combined.pem and ca.crt, or tls.issuerRef.name to an issuer of cert-manager" -}}
{{- end -}}
{{- if and $values.tls.existingSecret $values.tls.issuerRef.name -}}
{{- fail "mongodb: tls.existingSecret and tls.issuerRef.name are both set, and only one can give the certificate: remove one of them" -}}
{{- end -}}
{{- end -}}

{{- define "mongodb.validateClusterAuth" -}}
{{- $mode := .Values.auth.clusterAuthMode -}}
{{- if ne $mode "keyFile" -}}
{{- if not .Values.tls.enabled -}}
{{- fail (printf "mongodb: auth.clusterAuthMode is %s, but tls.enabled is false and members have no certificates: set tls.enabled=true with tls.existingSecret or tls.issuerRef, or auth.clusterAuthMode=keyFile" $mode) -}}
{{- end -}}
{{- if eq .Values.tls.mode "allowTLS" -}}
{{- fail (printf "mongodb: auth.clusterAuthMode is %s, but with tls.mode=allowTLS members show each other no certificates: set tls.mode to preferTLS or requireTLS, or auth.clusterAuthMode=keyFile" $mode) -}}
{{- end -}}
{{- end -}}
{{- if and (eq $mode "x509") .Values.auth.keyfile -}}
{{- fail "mongodb: auth.keyfile is given, but with auth.clusterAuthMode=x509 nobody uses it: remove auth.keyfile, or set auth.clusterAuthMode=keyFile" -}}
{{- end -}}
{{- end -}}

{{- define "mongodb.validateArchive" -}}
{{- $archive := .Values.archive -}}
{{- if and $archive.credentials.existingSecret $archive.credentials.env -}}
{{- fail "mongodb: archive.credentials.existingSecret and archive.credentials.env are both set, and it would not be clear which credentials are used: remove one of them" -}}
{{- end -}}
{{- if .Values.sidecar.enabled -}}
{{- if not $archive.url -}}
{{- fail "mongodb: archive.url is empty, and nothing would be backed up: set it to s3://BUCKET/PREFIX?region=REGION, azblob://ACCOUNT/CONTAINER/PREFIX or file:///archive (with archive.volume), or set sidecar.enabled=false to run without backups" -}}
{{- end -}}
{{- include "mongodb.validateUrl" (list . "archive.url" $archive.url) -}}
{{- with .Values.sidecar.retention -}}
{{- if and .schedule (ne .schedule "none") (not (or .keepLast .keepFor .pitrWindow .keepMonthly)) -}}
{{- fail (printf "mongodb: sidecar.retention.schedule is `%s`, but no rule says what is kept: set sidecar.retention.keepLast, keepFor, pitrWindow or keepMonthly" .schedule) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range .Values.sidecar.recipients -}}
{{- if hasPrefix "AGE-SECRET-KEY" (upper .) -}}
{{- fail "mongodb: sidecar.recipients holds a secret key, which would let a stolen pod read all backups: give the public key (age1…), and change the key pair since this one was in your values" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "mongodb.validateRetention" -}}
{{- $retention := .Values.retention -}}{{- $url := .Values.archive.url -}}
{{- if include "mongodb.isScheduled" $retention.schedule -}}
{{- if not $url -}}
{{- fail (printf "mongodb: retention.schedule is `%s`, but archive.url is empty and there is nothing to delete from: set archive.url, or leave retention.schedule empty" $retention.schedule) -}}
{{- end -}}
{{- include "mongodb.validateUrl" (list . "archive.url" $url) -}}
{{- if not (or $retention.keepLast $retention.keepFor $retention.pitrWindow $retention.keepMonthly) -}}
{{- fail (printf "mongodb: retention.schedule is `%s`, but no rule says what is kept: set retention.keepLast, keepFor, pitrWindow or keepMonthly" $retention.schedule) -}}
{{- end -}}
{{- if and .Values.sidecar.enabled (include "mongodb.isScheduled" .Values.sidecar.retention.schedule) -}}
{{- fail "mongodb: retention.schedule and sidecar.retention.schedule are both set, and what either of them lets go would be deleted: remove one of them (with retention.schedule the sidecar needs no right to delete)" -}}
{{- end -}}
{{- if eq (include "mongodb.expirer" .) (include "mongodb.serviceAccount" .) -}}
{{- fail (printf "mongodb: retention.serviceAccount is `%s`, which the members use, and whoever takes over a pod could delete backups: set retention.serviceAccount.name to another" (include "mongodb.expirer" .)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* (list $ NAME URL) */ -}}
{{- define "mongodb.validateUrl" -}}
{{- $root := index . 0 -}}{{- $name := index . 1 -}}{{- $url := index . 2 -}}
{{- if not (regexMatch "^(s3://[^/?]+|azblob://[^/?]+/[^/?]+|file:///.+)" $url) -}}
{{- fail (printf "mongodb: %s is `%s`, which names no archive: write s3://BUCKET/PREFIX?region=REGION, azblob://ACCOUNT/CONTAINER/PREFIX or file:///archive" $name $url) -}}
{{- end -}}
{{- if regexMatch "(://[^/?]*@|[?&]sig=|[?&]secret)" $url -}}
{{- fail (printf "mongodb: %s holds credentials, which everybody who may read a ConfigMap would see: put them into a Secret and name it in archive.credentials.existingSecret" $name) -}}
{{- end -}}
{{- if and (hasPrefix "file://" $url) (not $root.Values.archive.volume) -}}
{{- fail (printf "mongodb: %s is `%s`, but archive.volume is empty and backups would be lost with the pod: set archive.volume, for example to {persistentVolumeClaim: {claimName: archive}}" $name $url) -}}
{{- end -}}
{{- if and (hasPrefix "file://" $url) (not (regexMatch "^file:///archive(/|$|\\?)" $url)) -}}
{{- fail (printf "mongodb: %s is `%s`, but archive.volume is mounted at /archive: write file:///archive or file:///archive/PREFIX" $name $url) -}}
{{- end -}}
{{- end -}}

{{- define "mongodb.validateSecrets" -}}
{{- $auth := .Values.auth -}}
{{- if and $auth.existingSecret (or $auth.keyfile $auth.passwords) -}}
{{- fail (printf "mongodb: auth.existingSecret (`%s`) and auth.%s are both set, and it would not be clear which one counts: remove one of them" $auth.existingSecret (ternary "keyfile" "passwords" (ne $auth.keyfile ""))) -}}
{{- end -}}
{{- $users := include "mongodb.users" . | fromJson -}}
{{- range $name, $password := $auth.passwords -}}
{{- if not (or (hasKey $users $name) (eq $name "tidemark-restore")) -}}
{{- fail (printf "mongodb: auth.passwords.%s is the password of nobody: known users are %s; add it to users, or correct the name" $name (keys $users | sortAlpha | join ", ")) -}}
{{- end -}}
{{- if not (regexMatch "^[A-Za-z0-9._~-]{8,}$" (toString $password)) -}}
{{- fail (printf "mongodb: auth.passwords.%s does not fit into a connection string: use at least 8 letters, digits or ._~-" $name) -}}
{{- end -}}
{{- end -}}
{{- if and $auth.keyfile (or (not (regexMatch "^[A-Za-z0-9+/=\\s]+$" $auth.keyfile)) (lt (len $auth.keyfile) 6) (gt (len $auth.keyfile) 1024)) -}}
{{- fail "mongodb: auth.keyfile is not what mongod accepts: use 6 to 1024 characters of base64, for example of `openssl rand -base64 756`" -}}
{{- end -}}
{{- range $name, $user := .Values.users -}}
{{- if and $user (hasPrefix "tidemark-" $name) -}}
{{- fail (printf "mongodb: users.%s has a name that is kept for Tidemark's own users: choose one that does not begin with tidemark-" $name) -}}
{{- end -}}
{{- if and $user (has $name (list "auth" "archive" "tls")) -}}
{{- fail (printf "mongodb: users.%s would have its connection string in %s-%s, a Secret of the chart's own: choose another name than auth, archive and tls" $name (include "mongodb.fullname" $) $name) -}}
{{- end -}}
{{- if and (kindIs "map" $user) (not $user.roles) -}}
{{- fail (printf "mongodb: users.%s has no roles, and could do nothing: add for example roles: [{role: readWrite, db: %s}]" $name $name) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.developerAccess.subjects (not (hasKey $users .Values.developerAccess.user)) -}}
{{- fail (printf "mongodb: developerAccess.user is `%s`, which is no user: name one of %s" .Values.developerAccess.user (keys $users | sortAlpha | join ", ")) -}}
{{- end -}}
{{- end -}}

{{- define "mongodb.validateRecovery" -}}
{{- $recovery := .Values.recovery -}}
{{- if eq .Values.mode "recovery" -}}
{{- if not $recovery.to -}}
{{- fail "mongodb: mode is recovery, but recovery.to is empty: set it to latest, a time such as 2026-05-01T12:30:00Z, T:I, before:T:I (as `dr-cli find` prints it), snapshot:ID or -15m" -}}
{{- end -}}
{{- if not (regexMatch "^(latest|[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\\.[0-9]+)?)?([Zz]|[+-][0-9]{2}:[0-9]{2})|(before:)?[0-9]+:[0-9]+|snapshot:\\S+|-([0-9]+[dhms])+)$" (toString $recovery.to)) -}}
{{- fail (printf "mongodb: recovery.to is `%v`, which is no moment: write latest, a time with its zone such as 2026-05-01T12:30:00Z, T:I, before:T:I, snapshot:ID or -15m" $recovery.to) -}}
{{- end -}}
{{- $url := $recovery.archive.url | default .Values.archive.url -}}
{{- if not $url -}}
{{- fail "mongodb: mode is recovery, but neither recovery.archive.url nor archive.url says what to restore from: set recovery.archive.url" -}}
{{- end -}}
{{- include "mongodb.validateUrl" (list . (ternary "recovery.archive.url" "archive.url" (ne $recovery.archive.url "")) $url) -}}
{{- end -}}
{{- end -}}
