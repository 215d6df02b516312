{{- /* sidecar.toml. Settings that are empty stay out: the sidecar's own defaults apply. */ -}}
{{- define "mongodb.sidecarToml" -}}
{{- $sidecar := .Values.sidecar -}}{{- $retention := $sidecar.retention -}}
{{- $settings := dict
    "listen" "0.0.0.0:9717"
    "data_path" "/data/db"
    "snapshot_schedule" $sidecar.snapshotSchedule
    "reference_schedule" $sidecar.referenceSchedule
    "reference_budget" $sidecar.referenceBudget
    "slice_span" $sidecar.sliceSpan
    "slice_bytes" $sidecar.sliceBytes
    "slice_idle" $sidecar.sliceIdle
    "compression_level" $sidecar.compressionLevel
    "scan_parallelism" $sidecar.scanParallelism
    "lag_limit" $sidecar.lagLimit
    "shutdown_grace" $sidecar.shutdownGrace
    "recipients" (join "," $sidecar.recipients)
    "rpo_target" $sidecar.rpoTarget
    "rto_target" $sidecar.rtoTarget
    "drill_interval" $sidecar.drillInterval
    "metrics_interval" $sidecar.metricsInterval
    "storage_interval" $sidecar.storageInterval
    "slow_profiler" $sidecar.slowProfiler
    "slow_profiler_databases" $sidecar.slowProfilerDatabases
    "runbook_base" $sidecar.runbookBase
    "log_format" $sidecar.logFormat
    "log_level" $sidecar.logLevel
    "expire_schedule" $retention.schedule
    "expire_archive" $retention.archiveUrl
    "keep_last" $retention.keepLast
    "keep_for" $retention.keepFor
    "pitr_window" $retention.pitrWindow
    "keep_monthly" $retention.keepMonthly
    "minimum_redundancy" $retention.minimumRedundancy
-}}
{{- /* A restored set is another lineage than the one it came from. */ -}}
{{- if or $sidecar.newLineage (eq .Values.mode "recovery") }}{{- $_ := set $settings "new_lineage" "true" }}{{- end -}}
{{- range $key, $value := $settings }}
{{- if ne (toString $value) "" }}
{{ $key }} = {{ toString $value | quote }}
{{- end }}
{{- end }}
{{- end -}}
