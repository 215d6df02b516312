import assert from 'node:assert/strict';
import { test } from 'node:test';

import { loadConfig } from '../src/config.js';

const URL_WITH_SECRET = 'mongodb://orders:hunter2-secret@db:27017/?replicaSet=rs0';

test('a connection string alone is a configuration', () => {
  const { config, errors } = loadConfig({ MONGODB_URL: URL_WITH_SECRET });
  assert.deepEqual(errors, []);
  assert.equal(config.database, 'orders');
  assert.deepEqual([config.port, config.metricsPort, config.trustProxy], [3000, 9464, false]);
  assert.deepEqual(config.mongodbHosts, ['db:27017']);
});

test('the database is the one of the variable, of the path, or "orders"', () => {
  assert.equal(loadConfig({ MONGODB_URL: 'mongodb://db/shop' }).config.database, 'shop');
  assert.equal(loadConfig({ MONGODB_URL: 'mongodb://db/shop', MONGODB_DATABASE: 'other' }).config.database, 'other');
  assert.match(loadConfig({ MONGODB_URL: 'mongodb://db/', MONGODB_DATABASE: 'a b' }).errors.join(), /MONGODB_DATABASE/);
});

test('all that is wrong is told at once', () => {
  const { errors } = loadConfig({ PORT: '99999', LOG_LEVEL: 'loud', SHUTDOWN_DELAY_MS: '5s', MONGODB_MAX_POOL_SIZE: '500' });
  assert.deepEqual(errors.map((error) => error.split(' ')[0]).sort(), ['LOG_LEVEL', 'MONGODB_MAX_POOL_SIZE', 'MONGODB_URL', 'PORT', 'SHUTDOWN_DELAY_MS']);
});

for (const [what, url] of Object.entries({
  'another scheme': 'http://orders:hunter2-secret@db/',
  'an unescaped @ and / in the password': 'mongodb://orders:hunter2-secret@x/y@db/',
  'an unknown option': 'mongodb://orders:hunter2-secret@db/?frobnicate=1',
  'a bad value of an option': 'mongodb://orders:hunter2-secret@db/?maxPoolSize=hunter2-secret',
  'no host': 'mongodb://orders:hunter2-secret@/',
  'a bad escape': 'mongodb://orders:hunter2-secret%zz@db/',
  'writes that are not retried': 'mongodb://orders:hunter2-secret@db/?retryWrites=false',
  'a placeholder': 'mongodb://orders:%3Cpassword%3E@db/',
})) {
  test(`a connection string with ${what} is refused without being shown`, () => {
    const { errors } = loadConfig({ MONGODB_URL: url });
    assert.equal(errors.length, 1, errors.join('\n'));
    assert.match(errors[0], /^MONGODB_URL /);
    assert.doesNotMatch(errors[0], /hunter2/);
  });
}

test('proxies are trusted by number or address, never all of them', () => {
  const trust = (value) => loadConfig({ MONGODB_URL: 'mongodb://db/', TRUST_PROXY: value });
  const { trustProxy } = trust('1').config;
  assert.deepEqual([trustProxy('9.9.9.9', 0), trustProxy('10.0.0.1', 1)], [true, false]);
  assert.deepEqual(trust('10.0.0.0/8, ::1').config.trustProxy, ['10.0.0.0/8', '::1']);
  for (const wrong of ['true', '10.0.0.0/33', 'proxy.example', '1.2.3.4/8/8']) assert.match(trust(wrong).errors.join(), /TRUST_PROXY/, wrong);
});
