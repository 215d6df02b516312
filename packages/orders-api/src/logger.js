// One JSON line for each event, on standard output. The message is a constant sentence, facts are fields.
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';

import { ConnectionString } from 'mongodb-connection-string-url';
import { pino } from 'pino';

import { createRedactor } from './redact.js';

export const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));

export function createLogger(config, destination) {
  const { password } = new ConnectionString(config.mongodbUrl);
  return pino(
    {
      level: config.logLevel,
      base: { service: 'orders-api', version, host: hostname() },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      // On the finished line: the driver's errors carry their topology, and nobody can list all places where a URL may appear.
      hooks: { streamWrite: createRedactor([password]) },
      serializers: { err: describeError },
    },
    destination,
  );
}

/** Name, code, message and stack of an error and of its causes; not all it carries: the driver hangs whole topologies on it. */
function describeError(error) {
  if (!(error instanceof Error)) return error;
  const { name, code, codeName, message, stack, cause } = error;
  return { name, code, codeName, message, stack, cause: cause === undefined ? undefined : describeError(cause) };
}
