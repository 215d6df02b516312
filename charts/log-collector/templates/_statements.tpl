{{/* What is done with each line, as a JSON list of OTTL statements. Order matters: secrets go before anything is looked at but whether a line is JSON. */}}
{{- define "log-collector.statements" -}}
{{- $s := list -}}
{{- range $container, $form := .Values.containers -}}
{{- $s = append $s (printf "set(log.cache[\"form\"], %q) where resource.attributes[\"k8s.container.name\"] == %q" $form $container) -}}
{{- end -}}
{{- $json := `ParseJSON(log.body)) where log.cache["form"] != "text" and IsMatch(log.body, "^\\s*\\{")` -}}
{{- $s = append $s (print `set(log.cache["before"], ` $json) -}}
{{- range include "log-collector.redaction" . | fromJsonArray -}}
{{- /* `$` begins a variable of the collector's configuration; doubled it is a dollar. */ -}}
{{- $s = append $s (printf "replace_pattern(log.body, %q, %q)" (index . 0) (index . 1) | replace "$" "$$") -}}
{{- end -}}
{{- /* A pattern that took too little or too much of a line has broken it, and what is left may be the rest of a secret. */ -}}
{{- $s = concat $s (list
  (print `set(log.cache["json"], ` $json)
  `set(log.attributes["tidemark.withheld"], true) where IsMap(log.cache["before"]) and not IsMap(log.cache["json"])`
  `set(log.body, "a line that was not whole without its secrets was withheld") where log.attributes["tidemark.withheld"] == true`
  `set(resource.attributes["k8s.node.name"], "${env:NODE_NAME}")`
  `set(resource.attributes["service.name"], resource.attributes["k8s.container.name"])`
) -}}
{{- with .Values.cluster -}}
{{- $s = append $s (printf "set(resource.attributes[\"k8s.cluster.name\"], %q)" .) -}}
{{- end -}}
{{- $s = concat $s (include "log-collector.mongod" . | fromJsonArray) (include "log-collector.application" . | fromJsonArray) -}}
{{- $s = concat $s (list
  `delete_matching_keys(log.attributes, "^(logtag|log\\.file\\.path|time|stream)$$")`
  `flatten(log.attributes)`
) -}}
{{- $s | toJson -}}
{{- end -}}

{{/* mongod: {"t","s","c","id","ctx","msg","attr"}. */}}
{{- define "log-collector.mongod" -}}
{{- $drop := eq .Values.redaction.queryLiterals "drop" -}}
{{- $is := ` where log.cache["form"] == "mongod" and IsMap(log.cache["json"])` -}}
{{- $s := list
  (print `set(log.cache["command"], ExtractPatterns(log.body, "\"command\":\\{\"(?P<name>[A-Za-z]+)\":"))` $is)
-}}
{{- range $letter, $severity := dict "F" "FATAL" "E" "ERROR" "W" "WARN" "I" "INFO" "D1" "DEBUG4" "D2" "DEBUG3" "D3" "DEBUG2" "D4" "DEBUG" "D5" "TRACE" -}}
{{- $s = append $s (printf `set(log.severity_number, SEVERITY_NUMBER_%s)%s and log.cache["json"]["s"] == %q` $severity $is $letter) -}}
{{- end -}}
{{- if $drop -}}
{{- /* A piece of a line, or one that was cut, cannot be told from data. What mongod says before its log begins goes to stderr. */ -}}
{{- $s = append $s `set(log.attributes["tidemark.withheld"], true) where log.cache["form"] == "mongod" and not IsMap(log.cache["json"]) and log.attributes["log.iostream"] == "stdout"` -}}
{{- $s = append $s `set(log.body, "a line of mongod that is not whole was withheld") where log.cache["form"] == "mongod" and log.attributes["tidemark.withheld"] == true` -}}
{{- end -}}
{{- $s = concat $s (list
  (print `set(log.severity_text, log.cache["json"]["s"])` $is)
  (print `set(log.attributes["mongodb"], log.cache["json"]["attr"])` $is ` and IsMap(log.cache["json"]["attr"])`)
  (print `set(log.attributes["mongodb"], {})` $is ` and not IsMap(log.cache["json"]["attr"])`)
) -}}
{{- if $drop -}}
{{- $s = concat $s (list
  (print (printf `keep_matching_keys(log.attributes["mongodb"], %q)` (printf "^(%s)$" (join "|" .Values.redaction.keep)) | replace "$" "$$") $is)
  (print `delete_key(log.attributes["mongodb"], "errMsg")` $is)
  (print `set(log.attributes["mongodb"]["error"], log.attributes["mongodb"]["error"]["codeName"])` $is ` and IsMap(log.attributes["mongodb"]["error"])`)
  (print `delete_key(log.attributes["mongodb"], "error")` $is ` and IsMap(log.attributes["mongodb"]["error"])`)
  (print `replace_pattern(log.attributes["mongodb"]["error"], "^([A-Za-z]+):[\\s\\S]*$$", "$$1")` $is ` and IsMatch(log.cache["json"]["c"], "^(COMMAND|WRITE|QUERY|INDEX|TXN|STORAGE|-)$$")`)
  (print `replace_pattern(log.attributes["mongodb"]["error"], "\\{[\\s\\S]*\\}|\"[^\"]*\"|'[^']*'", "?")` $is)
) -}}
{{- end -}}
{{- $s = concat $s (list
  (print `set(log.attributes["mongodb"]["component"], log.cache["json"]["c"])` $is)
  (print `set(log.attributes["mongodb"]["id"], log.cache["json"]["id"])` $is)
  (print `set(log.attributes["mongodb"]["context"], log.cache["json"]["ctx"])` $is)
  (print `set(log.attributes["mongodb"]["commandName"], log.cache["command"]["name"])` $is)
  (print `set(log.body, log.cache["json"]["msg"])` $is)
) -}}
{{- $s | toJson -}}
{{- end -}}

{{/* One JSON object for each event, of the API (pino) or of the sidecar: level, message and fields beside them. */}}
{{- define "log-collector.application" -}}
{{- $is := ` where log.cache["form"] != "mongod" and IsMap(log.cache["json"])` -}}
{{- $s := list (print `set(log.severity_text, ConvertCase(String(log.cache["json"]["level"]), "lower"))` $is ` and log.cache["json"]["level"] != nil`) -}}
{{- range $number, $level := dict "10" "trace" "20" "debug" "30" "info" "40" "warn" "50" "error" "60" "fatal" -}}
{{- $s = append $s (printf `set(log.severity_text, %q)%s and log.severity_text == %q` $level $is $number) -}}
{{- $s = append $s (printf `set(log.severity_number, SEVERITY_NUMBER_%s)%s and log.severity_text == %q` (upper $level) $is $level) -}}
{{- end -}}
{{- $s = concat $s (list
  (print `set(log.attributes["app"], log.cache["json"])` $is)
  (print `set(log.body, log.cache["json"]["message"])` $is ` and IsString(log.cache["json"]["message"])`)
  (print `set(log.body, log.cache["json"]["msg"])` $is ` and IsString(log.cache["json"]["msg"])`)
  (print `delete_matching_keys(log.attributes["app"], "^(level|time|timestamp|msg|message|pid|host|hostname|v)$$")` $is)
) -}}
{{- $s | toJson -}}
{{- end -}}
