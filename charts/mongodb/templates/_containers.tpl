{{- /*
The containers of a member. `member` and `sidecar` are native sidecars: they start before mongod and stop after it. A
startup or readiness probe on them would hold back mongod or take it out of service when the store or the set is away,
so each has nothing but the liveness of its own process.
*/ -}}
{{- define "mongodb.tlsMount" -}}
{{- if .Values.tls.enabled }}
- {name: tls, mountPath: /etc/tidemark/tls, readOnly: true}
{{- end }}
{{- end -}}

{{- /* Puts the probe where the mongod container can run it, and gives mongod a keyfile that is its own: a file of a Secret is readable by the group, which mongod refuses. */ -}}
{{- define "mongodb.containerInstall" -}}
- name: install
  {{- include "mongodb.sidecarImage" . | nindent 2 }}
  args: [member, install, /opt/tidemark{{ if include "mongodb.acceptsKeyfile" . }}, --keyfile, /etc/tidemark/auth/keyfile{{ end }}]
  securityContext: {{- toYaml .Values.securityContext | nindent 4 }}
  resources: {{- toYaml .Values.member.resources | nindent 4 }}
  volumeMounts:
    - {name: program, mountPath: /opt/tidemark}
    - {name: auth, mountPath: /etc/tidemark/auth, readOnly: true}
{{- end -}}

{{- define "mongodb.containerMember" -}}
- name: member
  {{- include "mongodb.sidecarImage" . | nindent 2 }}
  restartPolicy: Always
  args:
    - member
    - tend
    - --set-name
    - {{ .Values.replicaSetName }}
    - --members
    # A file that is read again: scaling restarts nobody.
    - /etc/tidemark/member/members
    - --host-template
    - {{ printf "%s-{ordinal}.%s:27017" (include "mongodb.fullname" .) (include "mongodb.domain" .) | quote }}
    - --ordinal
    - $(POD_NAME)
    {{- if eq (include "mongodb.sends" .) "keyFile" }}
    - --keyfile
    - /opt/tidemark/keyfile
    {{- end }}
    {{- if .Values.tls.enabled }}
    # mongod reads them at its start only, and they are renewed.
    - --certificates
    - /etc/tidemark/tls/tls-combined.pem,/etc/tidemark/tls/ca.crt
    {{- end }}
    - --users
    - /etc/tidemark/member/users.json
    - --mode
    - {{ ternary "drill" .Values.mode (and (eq .Values.mode "recovery") .Values.recovery.drill.enabled) }}
    - --default-write-concern
    - {{ .Values.mongod.defaultWriteConcern | quote }}
    - --default-read-concern
    - {{ .Values.mongod.defaultReadConcern }}
    - --listen
    - 0.0.0.0:9718
  env:
    - name: POD_NAME
      valueFrom: {fieldRef: {fieldPath: metadata.name}}
    {{- include "mongodb.memberEnv" . | nindent 4 }}
  ports:
    - {name: member, containerPort: 9718}
  livenessProbe:
    httpGet: {path: /livez, port: member}
    periodSeconds: 30
    timeoutSeconds: 5
    failureThreshold: 6
  securityContext: {{- toYaml .Values.securityContext | nindent 4 }}
  resources: {{- toYaml .Values.member.resources | nindent 4 }}
  volumeMounts:
    - {name: program, mountPath: /opt/tidemark, readOnly: true}
    - {name: auth, mountPath: /etc/tidemark/auth, readOnly: true}
    - {name: config, mountPath: /etc/tidemark/member, readOnly: true}
    {{- with include "mongodb.tlsMount" . | trim }}{{ . | nindent 4 }}{{ end }}
{{- end -}}

{{- define "mongodb.containerSidecar" -}}
- name: sidecar
  {{- include "mongodb.sidecarImage" . | nindent 2 }}
  restartPolicy: Always
  args: [run, --config, /etc/tidemark/sidecar/sidecar.toml]
  env:
    - name: POD_NAME
      valueFrom: {fieldRef: {fieldPath: metadata.name}}
    - name: TIDEMARK_MEMBER
      value: $(POD_NAME).{{ include "mongodb.domain" . }}:27017
    {{- include "mongodb.uriEnv" (list . "TIDEMARK_URI" "tidemark-backup" "" "member") | nindent 4 }}
    # Not in the file, so that dr-cli finds the archive when it is run in here.
    - {name: TIDEMARK_ARCHIVE, value: {{ .Values.archive.url | quote }}}
    {{- with .Values.archive.controlUrl }}
    - {name: TIDEMARK_CONTROL, value: {{ . | quote }}}
    {{- end }}
    {{- with .Values.sidecar.extraEnv }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with include "mongodb.archiveSecret" . }}
  envFrom:
    - secretRef: {name: {{ . }}}
  {{- end }}
  ports:
    - {name: metrics, containerPort: 9717}
  livenessProbe:
    httpGet: {path: /livez, port: metrics}
    periodSeconds: 30
    timeoutSeconds: 5
    failureThreshold: 6
  securityContext: {{- toYaml .Values.securityContext | nindent 4 }}
  resources: {{- toYaml .Values.sidecar.resources | nindent 4 }}
  volumeMounts:
    - {name: config, mountPath: /etc/tidemark/sidecar, readOnly: true}
    # Only to see how full the volume is.
    - {name: data, mountPath: /data/db, readOnly: true}
    - {name: sidecar-tmp, mountPath: /tmp}
    {{- with include "mongodb.tlsMount" . | trim }}{{ . | nindent 4 }}{{ end }}
    {{- with include "mongodb.archiveVolumes" (list . "mounts") | trim }}{{ . | nindent 4 }}{{ end }}
{{- end -}}

{{- define "mongodb.containerMongod" -}}
- name: mongod
  image: {{ include "mongodb.image" (list . .Values.image "6.0.5") }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  # The image's command is mongod itself, so that it gets the signal to stop.
  args: [--config, /etc/mongod/mongod.conf]
  env:
    {{- include "mongodb.memberEnv" . | nindent 4 }}
    {{- with .Values.mongod.glibcTunables }}
    - {name: GLIBC_TUNABLES, value: {{ . | quote }}}
    {{- end }}
    {{- with .Values.mongod.extraEnv }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  ports:
    - {name: mongodb, containerPort: 27017}
  startupProbe: {{- include "mongodb.probe" (list . "startup") | nindent 4 }}
  livenessProbe: {{- include "mongodb.probe" (list . "liveness") | nindent 4 }}
  readinessProbe: {{- include "mongodb.probe" (list . "readiness") | nindent 4 }}
  lifecycle:
    preStop:
      exec:
        # Hands over before mongod is told to stop: no election time-out for anybody. A rollout that begins anew would take the
        # last member while another one is still coming back; this one waits for it. A minute is left for the rest.
        command: [/opt/tidemark/sidecar, member, step-down, --seconds, "60", --timeout, 20s, --wait, {{ max 0 (min 60 (sub (int .Values.terminationGracePeriodSeconds) 60)) }}s{{ if eq (include "mongodb.sends" .) "keyFile" }}, --keyfile, /opt/tidemark/keyfile{{ end }}]
  securityContext: {{- toYaml .Values.securityContext | nindent 4 }}
  resources: {{- toYaml .Values.resources | nindent 4 }}
  volumeMounts:
    - {name: data, mountPath: /data/db}
    - {name: config, mountPath: /etc/mongod, readOnly: true}
    - {name: program, mountPath: /opt/tidemark, readOnly: true}
    - {name: tmp, mountPath: /tmp}
    {{- with include "mongodb.tlsMount" . | trim }}{{ . | nindent 4 }}{{ end }}
{{- end -}}

{{- /*
A compiled probe: a shell of MongoDB takes seconds under load, and the kubelet would kill what is only busy. A StatefulSet with parallel
management ignores its own minReadySeconds (kubernetes/kubernetes#119234), so readiness takes that long: one success for each period, one at the
beginning, and one for the probe that the kubelet puts in when the container starts.
*/ -}}
{{- define "mongodb.probe" -}}
{{- $probe := get (index . 0).Values.probes (index . 1) -}}
{{- if eq (index . 1) "readiness" -}}
{{- /* A set that is made for a restore has no clients yet, and the Job looks for it. */ -}}
{{- $seconds := ternary 0 (index . 0).Values.minReadySeconds (eq (index . 0).Values.mode "recovery") -}}
{{- $probe = merge (dict) $probe (dict "successThreshold" (ternary 1 (add 2 (ceil (divf $seconds $probe.periodSeconds) | int)) (eq (int $seconds) 0))) -}}
{{- end -}}
exec:
  command: [/opt/tidemark/sidecar, member, probe, {{ index . 1 }}, --timeout, {{ max 1 (sub (int $probe.timeoutSeconds) 2) }}s]
{{ toYaml $probe }}
{{- end -}}
