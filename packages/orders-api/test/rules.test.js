import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import fc from 'fast-check';
import { ObjectId } from 'mongodb';

import { CURSOR_PATTERN, decodeCursor, encodeCursor } from '../src/cursor.js';
import { fingerprint } from '../src/fingerprint.js';
import { createLogger } from '../src/logger.js';
import { STATUSES, TRANSITIONS, decideStatusChange, totalAmount } from '../src/orders.js';
import { createRedactor, redactConnectionStrings } from '../src/redact.js';
import { newOrder as schema } from '../src/schemas.js';
import { compileValidator, describeViolations } from '../src/validation.js';

test('every status can be reached, and orders come to an end', () => {
  const reached = new Set(['placed']);
  for (const status of reached) for (const next of TRANSITIONS[status]) reached.add(next);
  assert.deepEqual([...reached].sort(), [...STATUSES].sort());
  const order = (status) => ({ status, version: 3 });
  assert.equal(decideStatusChange(order('placed'), 'paid'), 'change');
  assert.equal(decideStatusChange(order('placed'), 'shipped'), 'forbidden');
  assert.equal(decideStatusChange(order('delivered'), 'cancelled'), 'forbidden');
  assert.equal(decideStatusChange(order('placed'), 'paid', 2), 'stale');
  assert.equal(decideStatusChange(order('paid'), 'paid', 2), 'nothing');
});

test('the largest order that is accepted has an exact total', () => {
  const { maxItems, items: { properties: { quantity, unitAmount } } } = schema.properties.items;
  const total = totalAmount(Array.from({ length: maxItems }, () => ({ quantity: quantity.maximum, unitAmount: unitAmount.maximum })));
  assert.ok(Number.isSafeInteger(total));
});

test('a fingerprint does not depend on the order of keys, but on everything else', () => {
  const shuffled = (value) => (value !== null && typeof value === 'object' && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).reverse().map(([key, inner]) => [key, shuffled(inner)])) : value);
  fc.assert(fc.property(fc.jsonValue(), (value) => fingerprint(value) === fingerprint(shuffled(value))));
  assert.notEqual(fingerprint({ a: 1 }), fingerprint({ a: '1' }));
  assert.notEqual(fingerprint({ a: [1, 2] }), fingerprint({ a: [2, 1] }));
});

test('a cursor gives back its id', () => {
  const id = new ObjectId();
  assert.match(encodeCursor(id), new RegExp(CURSOR_PATTERN));
  assert.ok(decodeCursor(encodeCursor(id)).equals(id));
});

test('credentials are taken out of connection strings, also of broken ones', () => {
  assert.equal(redactConnectionStrings('to mongodb://u:p@ss/w@db:1/x failed, mongodb+srv://a:b@c'), 'to mongodb://***@db:1/x failed, mongodb+srv://***@c');
  const redact = createRedactor(['p%40ss"word']);
  assert.equal(redact('p%40ss"word and p@ss"word and p@ss\\"word'), '*** and *** and ***');
});

test('no log line shows the password, wherever an error carries it', () => {
  const lines = [];
  const logger = createLogger({ logLevel: 'info', mongodbUrl: 'mongodb://u:hunter2%40secret@db/' }, { write: (line) => lines.push(line) });
  const error = new Error('cannot reach mongodb://u:hunter2%40secret@db/', { cause: new Error('hunter2@secret is wrong') });
  logger.error({ err: error, url: 'mongodb://u:hunter2%40secret@db/', deep: { list: ['hunter2@secret'] } }, 'failed for hunter2%40secret');
  assert.equal(lines.length, 1);
  assert.doesNotMatch(lines[0], /hunter2/);
  assert.equal(JSON.parse(lines[0]).err.cause.message, '*** is wrong');
});

test('violations name the field and what to write there', () => {
  const validate = compileValidator({ schema, httpPart: 'body' });
  validate({ currency: 'eur', items: [{ sku: 'a', quantity: '1', unitAmount: 1, colour: 'red' }], 'a/b': 1 });
  const told = Object.fromEntries(describeViolations(validate.errors, 'body').map(({ field, message }) => [field, message]));
  assert.deepEqual(told, {
    customerId: 'is missing',
    'a/b': 'is not known here',
    currency: 'must be: a currency code of three capital letters (ISO 4217)',
    'items[0].colour': 'is not known here',
    'items[0].quantity': 'must be integer',
  });
});

test('versions are pinned, and the lock file names no registry', () => {
  const read = (name) => readFileSync(new URL(`../${name}`, import.meta.url), 'utf8');
  const { dependencies, devDependencies } = JSON.parse(read('package.json'));
  for (const [name, wanted] of Object.entries({ ...dependencies, ...devDependencies })) assert.match(wanted, /^\d+\.\d+\.\d+$/, name);
  for (const [path, entry] of Object.entries(JSON.parse(read('package-lock.json')).packages)) {
    assert.equal(entry.resolved, undefined, path);
    if (path !== '') assert.match(entry.integrity, /^sha512-/, path);
  }
});
