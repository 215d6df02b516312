{{- /*
What an upgrade cannot do is refused before anything of it is done. What is there is known only with a cluster: rendering without one,
and the first installation, find nothing to compare with.
*/ -}}
{{- define "mongodb.validateUpgrade" -}}
{{- $fullname := include "mongodb.fullname" . -}}
{{- $set := lookup "apps/v1" "StatefulSet" .Release.Namespace $fullname -}}
{{- $config := lookup "v1" "ConfigMap" .Release.Namespace $fullname -}}
{{- if not $set -}}
{{- $ours := include "mongodb.selectorLabels" . | fromYaml -}}
{{- range (lookup "apps/v1" "StatefulSet" .Release.Namespace "").items -}}
{{- $labels := .metadata.labels | default dict -}}
{{- if eq (merge (dict) $ours $labels | toJson) (toJson $labels) -}}
{{- fail (printf "mongodb: the set would be called `%s`, but that of this release is `%s`, and a new one without data would take its place: set fullnameOverride=%s, or restore into another release" $fullname .metadata.name .metadata.name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- /* As the members' containers were told it. */ -}}
{{- $host := printf "%s-{ordinal}.%s.%s.svc." $fullname (include "mongodb.headless" .) .Release.Namespace -}}
{{- range (((($set).spec).template).spec).initContainers -}}
{{- range .args -}}
{{- $domain := . | trimPrefix $host | trimSuffix ":27017" -}}
{{- if and (hasPrefix $host .) (ne $domain $.Values.clusterDomain) -}}
{{- fail (printf "mongodb: clusterDomain is `%s`, but the members of %s know each other under `%s`, and would not find each other: set clusterDomain=%s, or restore into another release" $.Values.clusterDomain $fullname $domain $domain) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- with (($set).spec).volumeClaimTemplates -}}
{{- $claim := (index . 0).spec -}}
{{- $values := $.Values.persistence -}}
{{- include "mongodb.refuseOtherClaim" (list $ "storageClass" ($claim.storageClassName | default "") $values.storageClass) -}}
{{- if ne (include "mongodb.bytes" $claim.resources.requests.storage) (include "mongodb.bytes" $values.size) -}}
{{- include "mongodb.refuseOtherClaim" (list $ "size" $claim.resources.requests.storage $values.size) -}}
{{- end -}}
{{- include "mongodb.refuseOtherClaim" (list $ "accessModes" (join "," $claim.accessModes) (join "," $values.accessModes)) -}}
{{- end -}}
{{- /* Kubernetes stops all that are too many at once, before they could leave the set: those that stay have to be its majority. */ -}}
{{- $replicas := (($set).spec).replicas | int -}}
{{- $majority := add1 (div $replicas 2) | int -}}
{{- if and $replicas (lt (int .Values.replicaCount) $majority) -}}
{{- fail (printf "mongodb: replicaCount would go from %d to %d, and those that stay are no majority and would have no primary any more: set replicaCount to %d or more; for fewer members restore the archive into another release, with mode=recovery and replicaCount=%d" $replicas (int .Values.replicaCount) (ternary $majority (add1 $majority | int) (eq (mod $majority 2) 1)) (int .Values.replicaCount)) -}}
{{- end -}}
{{- /* Those that are too many are stopped in the same moment as the first one that is restarted: of five members two would be left. */ -}}
{{- if lt (int .Values.replicaCount) $replicas -}}
{{- if include "mongodb.isRestarting" . -}}
{{- fail (printf "mongodb: replicaCount would go from %d to %d, but members of %s are still restarted for an earlier upgrade, and Kubernetes would stop one more at the same time, which is the majority: wait until `kubectl --namespace %s rollout status statefulset %s` ends, and upgrade then" $replicas (int .Values.replicaCount) $fullname .Release.Namespace $fullname) -}}
{{- end -}}
{{- if ne (get ($set.metadata.annotations | default dict) "tidemark/pod-template") (include "mongodb.podChecksum" .) -}}
{{- fail (printf "mongodb: replicaCount would go from %d to %d and what the pods are made of would change, too, and Kubernetes would stop one more at the same time, which is the majority: upgrade with replicaCount=%d first, wait for it, and lower replicaCount alone then" $replicas (int .Values.replicaCount) $replicas) -}}
{{- end -}}
{{- end -}}
{{- with (($config).data) -}}
{{- $conf := index . "mongod.conf" | fromYaml -}}
{{- if ne $conf.replication.replSetName $.Values.replicaSetName -}}
{{- fail (printf "mongodb: replicaSetName is `%s`, but the members' data is that of `%s`, and they would refuse it: set replicaSetName=%s, or restore into another release" $.Values.replicaSetName $conf.replication.replSetName $conf.replication.replSetName) -}}
{{- end -}}
{{- /* A member alone has nobody to understand. */ -}}
{{- if gt (int $.Values.replicaCount) 1 -}}
{{- $tls := list "disabled" "allowTLS" "preferTLS" "requireTLS" -}}
{{- include "mongodb.refuseJump" (list $ "tls.mode" $tls ((($conf.net).tls).mode | default "disabled") (ternary $.Values.tls.mode "disabled" $.Values.tls.enabled)) -}}
{{- $auth := list "keyFile" "sendKeyFile" "sendX509" "x509" -}}
{{- include "mongodb.refuseJump" (list $ "auth.clusterAuthMode" $auth ($conf.security.clusterAuthMode | default "keyFile") $.Values.auth.clusterAuthMode) -}}
{{- end -}}
{{- end -}}
{{- /* Members that run have a keyfile. While none does, or one alone, it may become another. */ -}}
{{- if and $replicas (gt (max $replicas (int .Values.replicaCount)) 1) (include "mongodb.acceptsKeyfile" .) -}}
{{- $mode := "keyFile" -}}
{{- with (($config).data) -}}{{- $mode = (index . "mongod.conf" | fromYaml).security.clusterAuthMode | default $mode -}}{{- end -}}
{{- $named := include "mongodb.authSecret" . -}}
{{- $mounted := $named -}}
{{- range $set.spec.template.spec.volumes -}}{{- if eq .name "auth" -}}{{- $mounted = .secret.secretName -}}{{- end -}}{{- end -}}
{{- $theirs := include "mongodb.keyfileOf" (lookup "v1" "Secret" .Release.Namespace $mounted) -}}
{{- $stored := include "mongodb.keyfileOf" (lookup "v1" "Secret" .Release.Namespace $named) -}}
{{- $now := regexReplaceAll "\\s" .Values.auth.keyfile "" | default $stored -}}
{{- $sent := or (eq $mode "keyFile") (eq $mode "sendKeyFile") (eq (include "mongodb.sends" .) "keyFile") -}}
{{- if and $sent $theirs $now (ne $theirs $now) -}}
{{- fail (printf "mongodb: %s gives another keyfile than the Secret `%s`, which the members of %s have it from, and members with different ones cannot talk to each other: put the keyfile of `%s` there, or stop all members before (kubectl --namespace %s scale statefulset %s --replicas=0)" (ternary "auth.keyfile" (printf "the Secret `%s`" $named) (ne .Values.auth.keyfile "")) $mounted $fullname $mounted .Release.Namespace $fullname) -}}
{{- end -}}
{{- if and (ne $mode "x509") (not $now) (not .Values.auth.existingSecret) -}}
{{- fail (printf "mongodb: there is no keyfile in a Secret `%s`, and a new one would be another than that of the members of %s, who could not talk to each other: put the Secret back, or name the one they have it from (`%s`) in auth.existingSecret" $named $fullname $mounted) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* Without white space, which mongod does not look at. */ -}}
{{- define "mongodb.keyfileOf" -}}
{{- regexReplaceAll "\\s" (get (.data | default dict) "keyfile" | default "" | b64dec) "" -}}
{{- end -}}

{{- /* (list $ NAME BEFORE NOW) */ -}}
{{- define "mongodb.refuseOtherClaim" -}}
{{- $fullname := include "mongodb.fullname" (index . 0) -}}{{- $before := index . 2 -}}{{- $now := index . 3 -}}
{{- if ne (toString $before) (toString $now) -}}
{{- fail (printf "mongodb: persistence.%s is `%v`, but the volumes of %s were made with `%v`, and Kubernetes lets nobody change that: set persistence.%s back; the README of the chart tells under \"Changes that are no upgrade\" how volumes grow" (index . 1) $now $fullname $before (index . 1)) -}}
{{- end -}}
{{- end -}}

{{- /*
One step at a time, since members of the step before and of the step after have to understand each other, and the step before is over when
no member is left of the one before that: (list $ NAME STEPS BEFORE NOW).
*/ -}}
{{- define "mongodb.refuseJump" -}}
{{- $root := index . 0 -}}{{- $name := index . 1 -}}{{- $before := index . 3 -}}{{- $now := index . 4 -}}
{{- $at := dict -}}
{{- range $number, $step := index . 2 -}}{{- $_ := set $at $step $number -}}{{- end -}}
{{- $from := get $at $before | int -}}{{- $to := get $at $now | int -}}
{{- if gt (sub (max $from $to) (min $from $to)) 1 -}}
{{- fail (printf "mongodb: %s would go from %s to %s, and members that are restarted first could not talk to the others: upgrade to %s first, and wait for it" $name $before $now (index (index . 2) (ternary (add1 $from) (sub $from 1) (gt $to $from) | int))) -}}
{{- end -}}
{{- if and (ne $from $to) (include "mongodb.isRestarting" $root) -}}
{{- $fullname := include "mongodb.fullname" $root -}}
{{- fail (printf "mongodb: %s would go from %s to %s, but members of %s are still restarted for an earlier upgrade, and could not talk to those of the next: wait until `kubectl --namespace %s rollout status statefulset %s` ends and upgrade then, or take the earlier one back with `helm rollback`" $name $before $now $fullname $root.Release.Namespace $fullname) -}}
{{- end -}}
{{- end -}}

{{- /* Not empty while members are there that an upgrade has not reached yet, or is at. A controller that has not looked since says what was before. */ -}}
{{- define "mongodb.isRestarting" -}}
{{- with lookup "apps/v1" "StatefulSet" .Release.Namespace (include "mongodb.fullname" .) -}}
{{- $status := .status | default dict -}}
{{- if or (ne (toString $status.currentRevision) (toString $status.updateRevision)) (lt (int $status.updatedReplicas) (int .spec.replicas)) (lt (int $status.observedGeneration) (int .metadata.generation)) -}}true{{- end -}}
{{- end -}}
{{- end -}}
