{{- /* Bytes of a Kubernetes quantity such as 512Mi, 1.5Gi, 2G or 1073741824. */ -}}
{{- define "mongodb.bytes" -}}
{{- $text := . | toString -}}
{{- $number := regexFind "^[0-9]+(\\.[0-9]+)?" $text -}}
{{- $unit := trimPrefix $number $text -}}
{{- $factors := dict "" 1 "k" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- if or (not $number) (not (hasKey $factors $unit)) }}0{{ else }}{{ mulf (float64 $number) (float64 (get $factors $unit)) | floor | int64 }}{{ end -}}
{{- end -}}

{{- /* As mongod computes it, but from the limit of the container instead of the node's memory, in hundredths of a GB. */ -}}
{{- define "mongodb.cacheSizeGB" -}}
{{- if ne (toString .Values.mongod.cacheSizeGB) "" -}}
{{- .Values.mongod.cacheSizeGB -}}
{{- else -}}
{{- $limit := include "mongodb.bytes" .Values.resources.limits.memory | float64 -}}
{{- $above := subf $limit 1073741824.0 -}}
{{- $share := divf (mulf $above (float64 .Values.mongod.cacheRatio)) 1073741824.0 -}}
{{- maxf 0.25 (divf (floor (mulf $share 100.0)) 100.0) -}}
{{- end -}}
{{- end -}}
