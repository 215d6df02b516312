// SIGTERM: what has begun is finished, what comes meanwhile is served, and the end comes in time.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';

import { eventually } from './support/processes.js';
import { ReplicaSet } from './support/replica-set.js';
import { Service, newOrder } from './support/service.js';

describe('SIGTERM', () => {
  let set;
  before(async () => { set = await ReplicaSet.start(); });
  after(() => set?.stop());

  /** A request that has begun and is not complete: half of its body is missing. */
  async function begin(service) {
    const body = JSON.stringify(newOrder());
    const socket = connect(service.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write(`POST /v1/orders HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body.slice(0, 20)}`);
    await eventually('the request to be in flight', async () => /in_flight 1$/m.test(await (await fetch(service.metricsUrl)).text()));
    let answer = '';
    socket.setEncoding('utf8').on('data', (text) => { answer += text; });
    const ended = once(socket, 'close');
    return { finish: async () => { socket.write(body.slice(20)); await ended; return answer; }, socket };
  }

  test('a request in flight is answered, and the process ends with 0', async () => {
    const service = await (await Service.start({ MONGODB_URL: set.uri, SHUTDOWN_DELAY_MS: '600' })).ready();
    const { finish } = await begin(service);
    const ended = service.stop();
    await eventually('readiness to end', async () => {
      const response = await service.request('GET', '/readyz');
      return response.status === 503 && (await response.json()).reason === 'shutting down';
    });
    // The load balancer does not know yet.
    const meanwhile = await service.request('POST', '/v1/orders', { body: newOrder() });
    assert.deepEqual([meanwhile.status, meanwhile.headers.get('connection')], [201, 'close']);
    await eventually('the port to close', () => service.request('GET', '/livez').then(() => false, () => true));
    const answer = await finish();
    assert.match(answer, /^HTTP\/1\.1 201 /);
    const { id } = JSON.parse(answer.split('\r\n\r\n')[1]);
    assert.deepEqual(await ended, { code: 0, signal: null });
    assert.equal(service.log.at(-1).msg, 'drained');
    const stored = await set.client.db('orders').collection('orders').find().toArray();
    assert.ok(stored.some(({ _id }) => _id.toHexString() === id));
  });

  test('a request that never ends does not hold the process beyond its limit', async () => {
    const service = await (await Service.start({ MONGODB_URL: set.uri, SHUTDOWN_TIMEOUT_MS: '500' })).ready();
    const { socket } = await begin(service);
    const asked = Date.now();
    assert.deepEqual(await service.stop(), { code: 1, signal: null });
    assert.ok(Date.now() - asked < 2000);
    assert.match(service.log.at(-1).msg, /still being answered/);
    socket.destroy();
  });

  test('it also ends while the database is away', async () => {
    const service = await (await Service.start({ MONGODB_URL: 'mongodb://127.0.0.1:1/' })).listening();
    assert.deepEqual(await service.stop(), { code: 0, signal: null });
  });
});
