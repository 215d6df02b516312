// Every route against a real database and the OpenAPI document.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';

import { Validator } from '@seriousme/openapi-schema-validator';

import { Contract } from './support/contract.js';
import { eventually } from './support/processes.js';
import { ReplicaSet } from './support/replica-set.js';
import { Service, newOrder } from './support/service.js';

describe('the orders API', () => {
  let set;
  let service;
  let contract;

  before(async () => {
    set = await ReplicaSet.start();
    service = await (await Service.start({ MONGODB_URL: set.uri })).ready();
    contract = new Contract(await (await fetch(`${service.url}/openapi.json`)).json());
  });
  after(async () => {
    await service?.stop('SIGKILL');
    await set?.stop();
  });

  /** A request whose answer has to be as documented. */
  async function call(method, path, { status, target = service, ...options }) {
    const response = await target.request(method, path, options);
    const text = await response.text();
    assert.equal(response.status, status, `${method} ${path}: ${text}`);
    const value = contract.check(method, path, response.status, response.headers.get('content-type'), text);
    assert.ok(response.headers.get('x-request-id'));
    if (status >= 400 && value.requestId) assert.equal(value.requestId, response.headers.get('x-request-id'));
    return { value, headers: response.headers };
  }
  const create = async (overrides, key = randomUUID()) => (await call('POST', '/v1/orders', { status: 201, body: newOrder(overrides), headers: { 'idempotency-key': key } })).value;
  const unknown = '0123456789abcdef01234567';

  test('the document is valid OpenAPI 3.1 and the one in the repository (npm run openapi writes it)', async () => {
    const { valid, errors } = await new Validator().validate(structuredClone(contract.document));
    assert.ok(valid, JSON.stringify(errors));
    assert.deepEqual(contract.document, JSON.parse(readFileSync(new URL('../openapi.json', import.meta.url), 'utf8')));
  });

  test('an order is created, read and listed', async () => {
    const { value: order, headers } = await call('POST', '/v1/orders', { status: 201, body: newOrder({ note: 'ring twice' }) });
    assert.equal(order.totalAmount, 900);
    assert.equal(order.status, 'placed');
    assert.equal(headers.get('location'), `/v1/orders/${order.id}`);
    assert.deepEqual((await call('GET', `/v1/orders/${order.id}`, { status: 200 })).value, order);
    assert.deepEqual((await call('GET', '/v1/orders?limit=1', { status: 200 })).value.orders, [order]);
    await call('GET', `/v1/orders/${unknown}`, { status: 404 });
    await call('GET', '/v1/orders/nonsense', { status: 400 });
  });

  test('the same key and body give the same order, however often and whenever they come', async () => {
    const headers = { 'idempotency-key': randomUUID() };
    const answers = await Promise.all(Array.from({ length: 20 }, () => service.request('POST', '/v1/orders', { body: newOrder(), headers })));
    assert.deepEqual(answers.map(({ status }) => status).sort(), [...Array(19).fill(200), 201]);
    const ids = new Set((await Promise.all(answers.map((answer) => answer.json()))).map(({ id }) => id));
    assert.equal(ids.size, 1);
    const { value } = await call('POST', '/v1/orders', { status: 200, body: newOrder(), headers });
    assert.ok(ids.has(value.id));
    const { items, currency, customerId } = newOrder();
    await call('POST', '/v1/orders', { status: 200, body: { items, currency, customerId }, headers });
    await call('POST', '/v1/orders', { status: 422, body: newOrder({ note: 'other' }), headers });
    await call('POST', '/v1/orders', { status: 400, body: newOrder(), headers: { 'idempotency-key': 'with space' } });
    assert.equal(await set.client.db('orders').collection('orders').countDocuments({ 'idempotency.key': headers['idempotency-key'] }), 1);
  });

  test('without a key every request is an order', async () => {
    const ids = await Promise.all([1, 2, 3].map(async () => (await call('POST', '/v1/orders', { status: 201, body: newOrder() })).value.id));
    assert.equal(new Set(ids).size, 3);
  });

  test('money is stored as 64-bit integers, and a write is acknowledged by the majority', async () => {
    const { id } = await create({ items: [{ sku: 'house', quantity: 1000, unitAmount: 1_000_000_000 }] });
    const types = await set.client.db('orders').collection('orders')
      .aggregate([{ $match: { $expr: { $eq: [{ $toString: '$_id' }, id] } } }, { $project: { total: { $type: '$totalAmount' } } }]).toArray();
    assert.deepEqual(types.map(({ total }) => total), ['long']);
    assert.equal((await call('GET', `/v1/orders/${id}`, { status: 200 })).value.totalAmount, 1e12);
  });

  test('pages neither repeat nor miss an order while others come', async () => {
    const customerId = `c-${randomUUID()}`;
    const placed = [];
    for (let count = 0; count < 25; count += 1) placed.push((await create({ customerId })).id);
    const listed = [];
    let cursor = '';
    do {
      const { value } = await call('GET', `/v1/orders?customerId=${customerId}&limit=7${cursor}`, { status: 200 });
      listed.push(...value.orders.map(({ id }) => id));
      cursor = value.nextCursor === null ? null : `&cursor=${value.nextCursor}`;
      await create({ customerId });
    } while (cursor !== null);
    assert.deepEqual(listed, placed.reverse());
    await call('GET', '/v1/orders?cursor=nonsense', { status: 400 });
    await call('GET', '/v1/orders?limit=101', { status: 400 });
    await call('GET', '/v1/orders?status=lost', { status: 400 });
  });

  test('a list asks an index', async () => {
    const collection = set.client.db('orders').collection('orders');
    for (const filter of [{ customerId: 'c-1' }, { status: 'paid' }, {}]) {
      const { queryPlanner } = await collection.find(filter).sort({ _id: -1 }).limit(5).explain();
      assert.doesNotMatch(JSON.stringify(queryPlanner.winningPlan), /COLLSCAN|"SORT"/);
    }
  });

  test('a status changes only along the transitions, and a repeated change is harmless', async () => {
    const { id } = await create();
    const path = `/v1/orders/${id}`;
    await call('PATCH', path, { status: 409, body: { status: 'shipped' } });
    const { value: paid } = await call('PATCH', path, { status: 200, body: { status: 'paid', version: 1 } });
    assert.deepEqual([paid.status, paid.version], ['paid', 2]);
    assert.deepEqual((await call('PATCH', path, { status: 200, body: { status: 'paid', version: 1 } })).value, paid);
    const { value: conflict } = await call('PATCH', path, { status: 409, body: { status: 'cancelled', version: 1 } });
    assert.deepEqual([conflict.currentStatus, conflict.currentVersion, conflict.allowedStatuses], ['paid', 2, ['shipped', 'cancelled']]);
    await call('PATCH', path, { status: 400, body: { status: 'eaten' } });
    await call('PATCH', `/v1/orders/${unknown}`, { status: 404, body: { status: 'paid' } });
  });

  test('of changes that were decided on the same version one wins', async () => {
    const { id } = await create();
    await call('PATCH', `/v1/orders/${id}`, { status: 200, body: { status: 'paid' } });
    const wanted = Array.from({ length: 10 }, (_, index) => (index % 2 === 0 ? 'shipped' : 'cancelled'));
    const answers = await Promise.all(wanted.map((status) => service.request('PATCH', `/v1/orders/${id}`, { body: { status, version: 2 } })));
    const { value: order } = await call('GET', `/v1/orders/${id}`, { status: 200 });
    assert.equal(order.version, 3);
    answers.forEach(({ status }, index) => assert.equal(status, wanted[index] === order.status ? 200 : 409));
  });

  test('bodies that are no orders are refused in words', async () => {
    const { value } = await call('POST', '/v1/orders', { status: 400, body: newOrder({ items: [] }) });
    assert.deepEqual(value.errors, [{ field: 'items', message: 'must NOT have fewer than 1 items' }]);
    const json = { 'content-type': 'application/json' };
    await call('POST', '/v1/orders', { status: 400, body: '{"a":', headers: json });
    await call('POST', '/v1/orders', { status: 400, body: '{"__proto__":{"a":1}}', headers: json });
    await call('POST', '/v1/orders', { status: 400, headers: json });
    await call('POST', '/v1/orders', { status: 415, body: 'customerId: c', headers: { 'content-type': 'application/yaml' } });
    await call('POST', '/v1/orders', { status: 413, body: newOrder({ note: 'x'.repeat(70_000) }) });
    await call('PATCH', `/v1/orders/${unknown}`, { status: 415, body: 'paid', headers: { 'content-type': 'application/yaml' } });
    await call('PATCH', `/v1/orders/${unknown}`, { status: 413, body: { status: 'x'.repeat(70_000) } });
    const lost = await service.request('DELETE', '/v1/orders');
    assert.deepEqual([lost.status, lost.headers.get('content-type').split(';')[0]], [404, 'application/problem+json']);
    const garbled = await service.request('GET', '/v1/orders/%zz');
    assert.deepEqual([garbled.status, garbled.headers.get('content-type').split(';')[0]], [400, 'application/problem+json']);
  });

  test('a client that asks too often is told when to come back; probes are not counted', async () => {
    const limited = await (await Service.start({ MONGODB_URL: set.uri, RATE_LIMIT_MAX: '6', RATE_LIMIT_WINDOW_SECONDS: '30' })).ready();
    try {
      const { id } = await create();
      for (let count = 0; count < 6; count += 1) {
        const { status } = await limited.request('GET', '/v1/orders', { headers: { 'x-forwarded-for': `10.0.0.${count}` } });
        assert.equal(status, 200);
      }
      const requests = [['GET', '/v1/orders'], ['POST', '/v1/orders', newOrder()], ['GET', `/v1/orders/${id}`], ['PATCH', `/v1/orders/${id}`, { status: 'paid' }]];
      for (const [method, path, body] of requests) {
        const { headers } = await call(method, path, { status: 429, target: limited, body });
        assert.ok(Number(headers.get('retry-after')) >= 1 && Number(headers.get('retry-after')) <= 30);
      }
      assert.equal((await limited.request('GET', '/nowhere')).status, 429);
      for (const path of ['/livez', '/readyz']) await call('GET', path, { status: 200, target: limited });
      assert.match(await (await fetch(limited.metricsUrl)).text(), /^orders_api_rate_limited_total 5$/m);
    } finally {
      await limited.stop('SIGKILL');
    }
  });

  test('behind a trusted proxy clients are told apart by what it forwards, not by what they say', async () => {
    const proxied = await (await Service.start({ MONGODB_URL: set.uri, RATE_LIMIT_MAX: '2', TRUST_PROXY: '1' })).ready();
    try {
      const ask = async (forwarded) => (await proxied.request('GET', '/v1/orders?limit=1', { headers: { 'x-forwarded-for': forwarded } })).status;
      assert.deepEqual([await ask('10.0.0.1'), await ask('10.0.0.1'), await ask('10.0.0.1'), await ask('10.0.0.2')], [200, 200, 429, 200]);
      assert.equal(await ask('9.9.9.9, 10.0.0.1'), 429, 'what stands left of the last proxy is only a claim');
    } finally {
      await proxied.stop('SIGKILL');
    }
  });

  test('metrics are on the other port only, with bounded labels', async () => {
    assert.equal((await service.request('GET', '/metrics')).status, 404);
    await service.request('GET', '/some/made-up/path');
    const text = await (await fetch(service.metricsUrl)).text();
    assert.match(text, /^orders_api_http_request_duration_seconds_count\{method="GET",route="\/v1\/orders\/:id",status="200"\} \d+$/m);
    assert.match(text, /^orders_api_orders_created_total\{outcome="created"\} [1-9]/m);
    assert.match(text, /^orders_api_database_up 1$/m);
    assert.match(text, /^orders_api_http_requests_in_flight 0$/m);
    assert.doesNotMatch(text, /made-up/);
  });

  test('the beginning leads on, and every request is one line of the log', async () => {
    const { value } = await call('GET', '/', { status: 200 });
    assert.equal(value.links.openapi, '/openapi.json');
    await call('GET', '/openapi.json', { status: 200 });
    await call('GET', '/livez', { status: 200 });
    await call('GET', '/readyz', { status: 200 });
    await eventually('the lines before', () => service.log.filter(({ route }) => route === '/openapi.json').length === 2);
    const before = service.log.length;
    const { headers } = await call('GET', '/', { status: 200, headers: { 'x-request-id': 'from-the-edge' } });
    assert.equal(headers.get('x-request-id'), 'from-the-edge');
    const lines = await eventually('the line', () => (service.log.length > before ? service.log.slice(before) : null));
    assert.deepEqual(lines.map(({ request_id: id, route, status }) => [id, route, status]), [['from-the-edge', '/', 200]]);
    assert.deepEqual(service.log.filter(({ level }) => level === 'error' || level === 'fatal'), []);
  });

  test('every documented answer was seen, but those of faults', () => {
    const missing = contract.documented.filter((answer) => !contract.seen.has(answer) && !/ 50[03]$/.test(answer));
    assert.deepEqual(missing, []);
  });
});
