// Validation of requests against the schemas of the routes, and how violations are told.
import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';

// A long list helps nobody, and an attacker could ask for a very long one.
const MOST_VIOLATIONS = 20;

const common = { allErrors: true, removeAdditional: false, useDefaults: true, verbose: true, strictTypes: false };
const exact = addFormats.default(new Ajv({ ...common, coerceTypes: false }));
// Everything in a URL or a header is text.
const text = addFormats.default(new Ajv({ ...common, coerceTypes: true }));

export function compileValidator({ schema, httpPart }) {
  return (httpPart === 'body' ? exact : text).compile(schema);
}

/** @returns {{field: string, message: string}[]} */
export function describeViolations(violations, context) {
  return violations.slice(0, MOST_VIOLATIONS).map((violation) => ({ field: fieldOf(violation, context), message: messageOf(violation) }));
}

function fieldOf({ instancePath, keyword, params }, context) {
  const path = instancePath.split('/').slice(1).map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  if (keyword === 'required') path.push(params.missingProperty);
  if (keyword === 'additionalProperties') path.push(params.additionalProperty);
  const name = path.reduce((written, part) => (/^\d+$/.test(part) ? `${written}[${part}]` : written === '' ? part : `${written}.${part}`), '');
  return name === '' ? context : name;
}

function messageOf({ keyword, params, message, parentSchema }) {
  switch (keyword) {
    case 'required': return 'is missing';
    case 'additionalProperties': return 'is not known here';
    case 'enum': return `must be one of ${params.allowedValues.join(', ')}`;
    case 'pattern': return parentSchema.description === undefined ? message : `must be: ${parentSchema.description}`;
    default: return message;
  }
}
