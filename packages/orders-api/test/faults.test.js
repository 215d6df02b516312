// Three members under load: the primary steps down, the primary is killed. What was acknowledged is there afterwards.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { after, before, describe, test } from 'node:test';

import { eventually } from './support/processes.js';
import { ReplicaSet } from './support/replica-set.js';
import { Service, newOrder } from './support/service.js';

const WORKERS = 8;
const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

describe('elections', () => {
  let set;
  let service;
  before(async () => {
    set = await ReplicaSet.start({ members: 3 });
    service = await (await Service.start({ MONGODB_URL: set.uri, LOG_LEVEL: 'warn' })).ready();
  });
  after(async () => {
    await service?.stop('SIGKILL');
    await set?.stop();
  });

  /** Creates, reads and pays orders until told to stop. The ledger holds what was acknowledged. */
  function load({ retry }) {
    let running = true;
    const ledger = { acknowledged: new Map(), failures: [], requests: 0 };
    const ask = async (method, path, options) => {
      for (;;) {
        ledger.requests += 1;
        const response = await service.request(method, path, options);
        const text = await response.text();
        if (response.ok) return JSON.parse(text);
        ledger.failures.push(`${method} ${path} ${response.status} ${text}`);
        if (!retry || !running) return null;
        await pause(50);
      }
    };
    const work = async () => {
      while (running) {
        const key = randomUUID();
        const order = await ask('POST', '/v1/orders', { body: newOrder(), headers: { 'idempotency-key': key } });
        if (order === null) continue;
        ledger.acknowledged.set(order.id, { key, status: 'placed' });
        await ask('GET', `/v1/orders/${order.id}`);
        const paid = await ask('PATCH', `/v1/orders/${order.id}`, { body: { status: 'paid' } });
        if (paid !== null) ledger.acknowledged.get(order.id).status = 'paid';
      }
    };
    const workers = Array.from({ length: WORKERS }, work);
    return { ledger, stop: async () => { running = false; await Promise.all(workers); return ledger; } };
  }

  async function check(ledger) {
    const stored = new Map();
    for await (const order of set.client.db('orders').collection('orders').find({}, { readConcern: 'majority' })) stored.set(order._id.toHexString(), order);
    for (const [id, { key, status }] of ledger.acknowledged) {
      const order = stored.get(id);
      assert.ok(order, `the acknowledged order ${id} is gone`);
      assert.equal(order.idempotency.key, key);
      // A change whose answer was lost may have happened all the same.
      if (status === 'paid') assert.equal(order.status, 'paid', `the acknowledged change of ${id} is gone`);
    }
    const keys = [...stored.values()].map(({ idempotency }) => idempotency.key);
    assert.equal(new Set(keys).size, keys.length, 'a key has two orders');
  }

  test('no request fails while the primary steps down', async (t) => {
    const { ledger, stop } = load({ retry: false });
    await eventually('load', () => ledger.requests > 40);
    const before = await set.primary();
    await set.stepDown();
    const now = await eventually('another primary', async () => { const index = await set.primary(); return index >= 0 && index !== before && [index]; });
    const elected = ledger.requests;
    await eventually('load on the new primary', () => ledger.requests > elected + 40);
    await stop();
    assert.notEqual(now[0], before);
    assert.deepEqual(ledger.failures, []);
    await check(ledger);
    t.diagnostic(`${ledger.requests} requests, ${ledger.acknowledged.size} orders, 0 failed`);
  });

  test('a primary that is killed takes no acknowledged order with it', async (t) => {
    const { ledger, stop } = load({ retry: true });
    await eventually('load', () => ledger.acknowledged.size > 10);
    const before = await set.primary();
    await set.kill(before);
    const acknowledged = ledger.acknowledged.size;
    await eventually('another primary', async () => (await set.primary()) >= 0);
    await eventually('orders to be accepted again', () => ledger.acknowledged.size > acknowledged + 20);
    await stop();
    await check(ledger);
    // The old primary comes back and rolls back what only it had; the ledger still holds.
    set.run(before);
    await eventually('all members to agree', async () => {
      const { members } = await set.client.db('admin').command({ replSetGetStatus: 1 });
      return members.every(({ stateStr }) => ['PRIMARY', 'SECONDARY'].includes(stateStr));
    });
    await check(ledger);
    t.diagnostic(`${ledger.acknowledged.size} orders acknowledged, ${ledger.failures.length} of ${ledger.requests} requests had to be repeated`);
  });

  test('a member that comes back while the service still waits at its old address is found within one request', async () => {
    const victim = (await set.primary() + 1) % 3;
    await set.kill(victim);
    // As an address that belongs to nobody any more: whoever connects is never answered.
    const [sockets, waiting] = [new Set(), []];
    const silent = createServer();
    const isWaiting = new Promise((resolve) => {
      silent.on('connection', (socket) => {
        sockets.add(socket);
        socket.on('error', () => {}).on('data', (data) => {
          if (!data.includes('orders-api')) return;
          sockets.delete(socket);
          waiting.push(socket);
          resolve();
        });
      });
    });
    try {
      await once(silent.listen(set.members[victim].port, '127.0.0.1'), 'listening');
      await isWaiting;
      silent.close();
      // The members wait there, too, ten seconds for a heartbeat: what they replicate meanwhile is not the question here.
      for (const socket of sockets) socket.destroy();
      set.run(victim);
      await eventually('the member', () => set.command(victim, { hello: 1 }).then(({ secondary }) => secondary));
      await eventually('it to be primary', () => set.command(victim, { replSetStepUp: 1 }).then(({ ok }) => ok));
      const response = await service.request('POST', '/v1/orders', { body: newOrder() });
      assert.equal(response.status, 201, await response.text());
    } finally {
      for (const socket of [...sockets, ...waiting]) socket.destroy();
      silent.close();
    }
  });
});
