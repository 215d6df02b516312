{{/* What is taken out of every line before it is parsed: (pattern, what stands in its place), as a JSON list. One pass over the text reaches every depth of a JSON line, and lines that are no JSON. */}}
{{- define "log-collector.redaction" -}}
{{- /* A value of JSON: a text, an object or list of so many levels, or a word. Brackets in texts are no brackets. What begins as one of the first three and does not end as it (deeper, or cut) goes to the end of the line. */ -}}
{{- $text := `"(?:[^"\\]|\\.)*"` -}}
{{- $nested := printf `[{\[](?:[^"{}\[\]]|%s)*[}\]]` $text -}}
{{- range until 7 -}}
{{- $nested = printf `[{\[](?:[^"{}\[\]]|%s|%s)*[}\]]` $text $nested -}}
{{- end -}}
{{- $value := printf `(?:%s|%s|["{\[][\s\S]*|[^\s,}\]]+)` $text $nested -}}
{{- $known := `password|passwd|pwd|passphrase|secret|secret[_-]?key|secret[_-]?access[_-]?key|session[_-]?token|token|api[_-]?key|account[_-]?key|sharedaccesskey|shared[_-]?access[_-]?signature|private[_-]?key|connection[_-]?string|credential|cookie|authorization|storedkey|serverkey|saslpayload|payload` -}}
{{- /* In front anything; behind only what still names the secret itself. `tokensUsed` and `passwordChangedAt` are no secrets. */ -}}
{{- $names := printf `[a-z0-9_.-]*(?:%s)s?(?:[_.-]?(?:hash|salt|value|text|string|binary|base64|plain|confirm|confirmation|header))?(?:e?s)?[_.-]?[0-9]*` $known -}}
{{- $quoteless := printf "[^\\s\"'%s]" "`" -}}
{{- $patterns := list
  (list (printf `(?i)\b([a-z][a-z0-9+.-]*://)%s*:%s*@` $quoteless $quoteless) "$1***@")
  (list (printf `(?i)("%s"\s*:\s*)%s` $names $value) `$1"***"`)
  (list (printf `(?i)(\\+"%s\\+"\s*:\s*)(?:\\+"(?:[^"\\]|\\\\[^"])*\\+"|[{\[](?:[^"\\]|\\.)*)` $names) `$1\"***\"`)
  (list `(?i)((?:proxy-)?authorization\s*[:=]\s*)(?:\\.|[^"\\\r\n])*` "$1***")
  (list `(?i)((?:set-)?cookie\s*:\s*)(?:\\.|[^"\\\r\n])*` "$1***")
  (list `(?i)\b(bearer\s+)[a-z0-9._~+/=-]{8,}` "$1***")
  (list `(?i)\b(basic\s+)[a-z0-9+/=]{16,}` "$1***")
  (list (printf `(?i)\b((?:%s|sig|x-amz-signature|x-amz-security-token)\s*=\s*)("[^"]*"|'[^']*'|[^\s&;,"'\\]+)` $names) "$1***")
  (list `(?i)(--[a-z0-9-]*(?:password|passphrase|secret|token|key)[= ]+)[^\s"'\\]+` "$1***")
  (list `(?i)\b((?:password|passwd|pwd|passphrase|secret)\s*:\s+)[^\s"'\\,;]+` "$1***")
  (list `\b[a-z]=(?:biws|eSws|biw|eSw)[A-Za-z0-9+/=]*,r=[^,\s"\\]*(?:,p=[A-Za-z0-9+/=]+)?` "***")
  (list `\b(?:biws|biwsbj|Yz1iaXdz)[A-Za-z0-9+/=]{8,}` "***")
  (list `\b(?:AKIA|ASIA)[A-Z0-9]{16}\b` "***")
  (list `\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?` "***")
  (list `(?i)AGE-SECRET-KEY-1[a-z0-9]+` "***")
  (list `-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)` "***")
-}}
{{- range .Values.redaction.extra -}}
{{- $patterns = append $patterns (list .pattern .replacement) -}}
{{- end -}}
{{- $patterns | toJson -}}
{{- end -}}
