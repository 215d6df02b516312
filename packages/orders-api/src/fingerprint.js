// Whether two requests ask for the same: the digest of a body in canonical form (keys sorted, no white space).
import { createHash } from 'node:crypto';

export function fingerprint(body) {
  return createHash('sha256').update(canonical(body)).digest('hex');
}

function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  return `{${Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(',')}}`;
}
