{{- define "log-collector.config" -}}
{{- $root := . -}}
{{- $sinks := .Values.sinks -}}
{{- $severities := dict "trace" 1 "debug" 5 "info" 9 "warn" 13 "error" 17 -}}
receivers:
  file_log:
    include: {{ include "log-collector.include" . | fromJsonArray | toJson }}
    # Rotated files are read to their end; the kubelet packs older ones.
    exclude: ["{{ .Values.logsPath }}/*/*/*.gz"]
    start_at: beginning
    include_file_path: true
    include_file_name: false
    storage: file_storage
    # A line that the runtime cut at a space would lose it.
    preserve_trailing_whitespaces: true
    preserve_leading_whitespaces: true
    # Asks again instead of losing what a full queue or memory refused; meanwhile the position does not move.
    retry_on_failure: {enabled: true, max_elapsed_time: 0s}
    operators:
      # Takes the frame of the CRI off, joins its partial lines, and reads namespace, pod and container from the path.
      - {type: container, format: containerd, max_log_size: 1MiB}
processors:
  memory_limiter: {check_interval: 1s, limit_percentage: 75, spike_limit_percentage: 20}
  transform:
    # Not `ignore`: its complaint about a line that is no JSON would quote the line.
    error_mode: silent
    log_statements:
      - statements:
          {{- range include "log-collector.statements" . | fromJsonArray }}
          - {{ . | toJson }}
          {{- end }}
  filter:
    error_mode: silent
    logs:
      log_record:
        # Lines without a level pass.
        - log.severity_number != 0 and log.severity_number < {{ get $severities .Values.minimumSeverity }}
exporters:
  {{- if $sinks.otlp.endpoint }}
  {{- $grpc := hasPrefix "grpc://" $sinks.otlp.endpoint }}
  {{ ternary "otlp_grpc" "otlp_http" $grpc }}/otlp:
    endpoint: {{ ternary (trimPrefix "grpc://" $sinks.otlp.endpoint) $sinks.otlp.endpoint $grpc | quote }}
    tls:
      insecure: {{ $sinks.otlp.insecure }}
      {{- if $sinks.otlp.caSecret }}
      ca_file: /etc/log-collector-ca/ca.crt
      {{- end }}
    {{- with $sinks.otlp.headers }}
    headers: {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- include "log-collector.delivery" . | nindent 4 }}
  {{- end }}
  {{- if $sinks.loki.endpoint }}
  otlp_http/loki:
    endpoint: {{ printf "%s/otlp" (trimSuffix "/" $sinks.loki.endpoint) | quote }}
    {{- with $sinks.loki.tenant }}
    headers: {X-Scope-OrgID: {{ . | quote }}}
    {{- end }}
    {{- include "log-collector.delivery" . | nindent 4 }}
  {{- end }}
  {{- if $sinks.cloudwatch.logGroup }}
  otlp_http/cloudwatch:
    logs_endpoint: https://logs.{{ $sinks.cloudwatch.region }}.amazonaws.com/v1/logs
    headers:
      x-aws-log-group: {{ $sinks.cloudwatch.logGroup | quote }}
      x-aws-log-stream: {{ $sinks.cloudwatch.logStream | quote }}
    auth: {authenticator: sigv4auth}
    {{- include "log-collector.delivery" . | nindent 4 }}
  {{- end }}
  {{- if $sinks.logAnalytics.existingSecret }}
  azure_monitor:
    connection_string: ${env:APPLICATIONINSIGHTS_CONNECTION_STRING}
    {{- include "log-collector.queue" . | nindent 4 }}
  {{- end }}
  {{- if $sinks.debug }}
  debug: {verbosity: detailed}
  {{- end }}
extensions:
  file_storage:
    directory: /var/lib/log-collector
    create_directory: true
    compaction: {directory: /var/lib/log-collector, on_start: true, on_rebound: true}
  health_check: {endpoint: "0.0.0.0:13133"}
  {{- if $sinks.cloudwatch.logGroup }}
  sigv4auth: {region: {{ $sinks.cloudwatch.region | quote }}, service: logs}
  {{- end }}
service:
  extensions: [file_storage, health_check{{ if $sinks.cloudwatch.logGroup }}, sigv4auth{{ end }}]
  telemetry:
    logs: {level: info, encoding: json}
    metrics:
      level: normal
      readers:
        - pull: {exporter: {prometheus: {host: 0.0.0.0, port: 8888}}}
  pipelines:
    logs:
      receivers: [file_log]
      processors: [memory_limiter, transform, filter]
      exporters: {{ include "log-collector.exporters" . }}
{{- end -}}

{{- define "log-collector.include" -}}
{{- $patterns := list -}}
{{- $root := . -}}
{{- range $container, $form := .Values.containers -}}
{{- range $namespace := $root.Values.namespaces | default (list "*") -}}
{{- $patterns = append $patterns (printf "%s/%s_*_*/%s/*.log*" $root.Values.logsPath $namespace $container) -}}
{{- end -}}
{{- end -}}
{{- $patterns | toJson -}}
{{- end -}}

{{/* A queue on disk that stops the reading when it is full, and no end of trying. */}}
{{- define "log-collector.queue" -}}
sending_queue:
  storage: file_storage
  queue_size: {{ .Values.queue.size }}
  sizer: items
  block_on_overflow: true
  num_consumers: 2
  batch: {flush_timeout: {{ .Values.queue.flushTimeout }}, min_size: {{ .Values.queue.batchSize }}, max_size: {{ .Values.queue.batchSize }}}
{{- end -}}

{{- define "log-collector.delivery" -}}
compression: gzip
retry_on_failure: {enabled: true, initial_interval: 1s, max_interval: 30s, max_elapsed_time: 0s}
{{ include "log-collector.queue" . }}
{{- end -}}
