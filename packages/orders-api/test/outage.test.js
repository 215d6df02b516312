// The database is away, comes, refuses the password, changes its mind. The service stays up through all of it.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { MongoClient } from 'mongodb';

import { Contract } from './support/contract.js';
import { freePort } from './support/ports.js';
import { eventually } from './support/processes.js';
import { ReplicaSet } from './support/replica-set.js';
import { Service, newOrder } from './support/service.js';

describe('without a database', () => {
  test('the service starts, says what is wrong, and recovers by itself', async () => {
    const port = await freePort();
    const service = await (await Service.start({ MONGODB_URL: `mongodb://127.0.0.1:${port}/?replicaSet=orders-test` })).listening();
    let set;
    try {
      const asked = Date.now();
      const notReady = await service.request('GET', '/readyz');
      assert.equal(notReady.status, 503);
      assert.ok(Date.now() - asked < 1500, 'readiness takes a second at most');
      const contract = new Contract(await (await service.request('GET', '/openapi.json')).json());
      assert.match(contract.check('GET', '/readyz', 503, notReady.headers.get('content-type'), await notReady.text()).reason, /not been reached|does not answer|no usable member/);
      for (const [method, path, body] of [['POST', '/v1/orders', newOrder()], ['GET', '/v1/orders']]) {
        const refused = await service.request(method, path, { body });
        assert.equal(refused.status, 503);
        assert.ok(Number(refused.headers.get('retry-after')) > 0);
        contract.check(method, path, 503, refused.headers.get('content-type'), await refused.text());
      }
      assert.equal((await service.request('GET', '/livez')).status, 200);

      await eventually('the cause', async () => /no usable member/.test(await (await service.request('GET', '/readyz')).text()));
      set = await ReplicaSet.start({ ports: [port] });
      await service.ready();
      assert.equal((await service.request('POST', '/v1/orders', { body: newOrder() })).status, 201);

      await set.kill(0);
      await eventually('readiness to see it', async () => (await service.request('GET', '/readyz')).status === 503);
      assert.equal((await service.request('GET', '/livez')).status, 200);
      set.run(0);
      await service.ready();
      // Each change of state is one line, not one for each probe. The pipe may be behind the answers.
      const told = () => service.log.filter(({ msg }) => /^the database/.test(msg)).map(({ msg, cause }) => cause ?? msg);
      await eventually('all lines', async () => told().length >= 4);
      assert.deepEqual(told(), ['unreachable', 'the database answers', 'unreachable', 'the database answers']);
    } finally {
      await service.stop('SIGKILL');
      await set?.stop();
    }
  });

  test('a refused password is told once, in the log and by readiness, and never shown; when it fits, the service goes on', async () => {
    const set = await ReplicaSet.start({ auth: true });
    const password = 'hunter2/secret';
    const url = `mongodb://orders:${encodeURIComponent(password)}@${set.members[0].host}/orders?replicaSet=orders-test&authSource=admin`;
    const service = await (await Service.start({ MONGODB_URL: url })).listening();
    try {
      const reason = await eventually('the reason', async () => {
        const { reason: told } = await (await service.request('GET', '/readyz')).json();
        return /refuses user or password/.test(told) && told;
      });
      assert.match(reason, /MONGODB_URL/);
      for (let probe = 0; probe < 5; probe += 1) assert.equal((await service.request('GET', '/readyz')).status, 503);
      assert.equal((await service.request('POST', '/v1/orders', { body: newOrder() })).status, 503);
      await new Promise((resolve) => { setTimeout(resolve, 1500); });
      const refusals = () => service.log.filter(({ cause }) => cause === 'authentication').length;
      await eventually('the line', () => refusals() >= 1);
      assert.equal(refusals(), 1);

      const root = { user: 'root', pwd: 'root', roles: ['root'] };
      await set.admin.db('admin').command({ createUser: root.user, pwd: root.pwd, roles: root.roles });
      const rooted = new MongoClient(set.memberUri(0), { auth: { username: 'root', password: 'root' } });
      await rooted.db('admin').command({ createUser: 'orders', pwd: password, roles: [{ role: 'readWrite', db: 'orders' }] });
      await service.ready();
      assert.equal((await service.request('POST', '/v1/orders', { body: newOrder() })).status, 201);
      await rooted.close();
      assert.doesNotMatch(service.output, /hunter2/);
    } finally {
      await service.stop('SIGKILL');
      await set.stop();
    }
  });

  test('a configuration that cannot work ends with 2 and a sentence without the secret', async () => {
    const service = await Service.start({ MONGODB_URL: 'mongodb://orders:hunter2-secret@db:port/' });
    assert.deepEqual(await service.process.ended, { code: 2, signal: null });
    assert.match(service.output, /MONGODB_URL is not a usable connection string/);
    assert.doesNotMatch(service.output, /hunter2/);
  });
});
