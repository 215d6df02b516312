// Configuration from environment variables. Everything is read before the first complaint, so that one start shows all that is
// wrong. Complaints name the variable, the problem and what to write instead; they never repeat a connection string.
import { isIP } from 'node:net';

import { MongoClient } from 'mongodb';
import { ConnectionString } from 'mongodb-connection-string-url';

import { redactConnectionStrings } from './redact.js';

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'];
// Pods times pool size has to stay far below what one mongod accepts.
const LARGEST_POOL = 50;
const DATABASE_NAME = /^[A-Za-z0-9_-]{0,63}$/;

/** @returns {{config: object, errors: string[]}} `config` is only usable when there are no errors. */
export function loadConfig(environment) {
  const errors = [];
  const text = (name, fallback) => {
    const value = environment[name]?.trim();
    return value === undefined || value === '' ? fallback : value;
  };
  const integer = (name, fallback, least, most) => {
    const value = text(name, String(fallback));
    const number = Number(value);
    if (!/^\d+$/.test(value) || number < least || number > most) {
      errors.push(`${name} is ${JSON.stringify(value)}; write a whole number from ${least} to ${most} (default ${fallback})`);
    }
    return number;
  };

  const config = {
    host: text('HOST', '0.0.0.0'),
    port: integer('PORT', 3000, 0, 65535),
    metricsPort: integer('METRICS_PORT', 9464, 0, 65535),
    logLevel: text('LOG_LEVEL', 'info'),
    bodyLimitBytes: integer('BODY_LIMIT_BYTES', 64 * 1024, 1024, 10 * 1024 * 1024),
    rateLimitMax: integer('RATE_LIMIT_MAX', 600, 0, 1_000_000),
    rateLimitWindowSeconds: integer('RATE_LIMIT_WINDOW_SECONDS', 60, 1, 3600),
    trustProxy: trustedProxies(text('TRUST_PROXY', '0'), errors),
    shutdownDelayMs: integer('SHUTDOWN_DELAY_MS', 5000, 0, 300_000),
    shutdownTimeoutMs: integer('SHUTDOWN_TIMEOUT_MS', 20_000, 100, 300_000),
    maxPoolSize: integer('MONGODB_MAX_POOL_SIZE', 20, 1, LARGEST_POOL),
  };
  if (!LOG_LEVELS.includes(config.logLevel)) {
    errors.push(`LOG_LEVEL is ${JSON.stringify(config.logLevel)}; write one of ${LOG_LEVELS.join(', ')}`);
  }
  if (config.port !== 0 && config.port === config.metricsPort) {
    errors.push(`PORT and METRICS_PORT are both ${config.port}; metrics are served on a port of their own`);
  }
  Object.assign(config, mongodb(text('MONGODB_URL'), text('MONGODB_DATABASE'), errors));
  return { config, errors };
}

function mongodb(url, database, errors) {
  if (url === undefined) {
    errors.push("MONGODB_URL is not set; write the connection string of the database, such as MONGODB_URL='mongodb://user:password@host:27017/orders?replicaSet=rs0'");
    return {};
  }
  let parsed;
  try {
    parsed = new ConnectionString(url);
    // The driver checks the names and values of the options; it does not connect yet.
    new MongoClient(url);
  } catch (error) {
    const cause = withoutParts(redactConnectionStrings(error.message), url);
    errors.push(`MONGODB_URL is not a usable connection string (${cause}); write mongodb://user:password@host:port/database?options, with characters such as @ : / % in user and password percent-encoded`);
    return {};
  }
  if (/^<.*>$/.test(decodeURIComponent(parsed.password))) {
    errors.push('MONGODB_URL holds a placeholder in angle brackets as its password; put the password there');
  }
  if (parsed.searchParams.get('retryWrites') === 'false') {
    errors.push('MONGODB_URL sets retryWrites=false, but writes have to survive an election; remove that option');
  }
  const fromPath = decodeURIComponent(parsed.pathname.slice(1));
  // A password with / in it that is not encoded ends up here, so the path is not shown.
  if (!DATABASE_NAME.test(fromPath)) {
    errors.push('MONGODB_URL names a database (after the host) that cannot be one; a user or password with / ? # or @ in it must be percent-encoded');
  }
  if (database !== undefined && !DATABASE_NAME.test(database)) {
    errors.push(`MONGODB_DATABASE is ${JSON.stringify(database)}; use up to 63 letters, digits, - and _`);
  }
  const name = database ?? (fromPath === '' ? 'orders' : fromPath);
  return { mongodbUrl: url, mongodbHosts: parsed.hosts, database: name };
}

/** What could not be parsed could not be split into secret and harmless either: every longer piece of the URL goes, but names of options. */
function withoutParts(message, url) {
  const pieces = url.split(/[/:@?&=,]+/).slice(1).filter((piece) => piece.length > 3);
  const names = new Set(url.split('?').slice(1).join('?').split('&').map((option) => option.split('=')[0]));
  return pieces.filter((piece) => !names.has(piece)).reduce((text, piece) => text.replaceAll(piece, '…'), message);
}

/**
 * What Fastify's `trustProxy` takes: false, the proxies' addresses, or a function for a number of proxies. Given a number itself it
 * would trust nobody, since it cannot know who connects; here a network policy lets only proxies connect.
 */
function trustedProxies(value, errors) {
  if (value === '0' || value === 'false') return false;
  if (/^\d{1,2}$/.test(value)) return (_address, hop) => hop < Number(value);
  const networks = value.split(',').map((network) => network.trim());
  const wrong = networks.filter((network) => !isNetwork(network));
  if (wrong.length > 0) {
    errors.push(`TRUST_PROXY holds ${wrong.map((network) => JSON.stringify(network)).join(', ')}; write the number of proxies in front of the service, or their addresses such as 10.0.0.0/8 (with "true" each client could choose its own address)`);
  }
  return networks;
}

function isNetwork(text) {
  if (['loopback', 'linklocal', 'uniquelocal'].includes(text)) return true;
  const [address, bits, ...rest] = text.split('/');
  const version = isIP(address);
  return version !== 0 && rest.length === 0 && (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128)));
}
