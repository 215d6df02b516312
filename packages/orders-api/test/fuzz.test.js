// Whatever a client sends, the fault is never the service's, and the answer is as documented.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import fc from 'fast-check';

import { Contract } from './support/contract.js';
import { ReplicaSet } from './support/replica-set.js';
import { Service, newOrder } from './support/service.js';

const RUNS = Number(process.env.FUZZ_RUNS ?? 150);

describe('arbitrary requests', () => {
  let set;
  let service;
  let contract;

  before(async () => {
    set = await ReplicaSet.start();
    service = await (await Service.start({ MONGODB_URL: set.uri, LOG_LEVEL: 'error' })).ready();
    contract = new Contract(await (await fetch(`${service.url}/openapi.json`)).json());
  });
  after(async () => {
    await service?.stop('SIGKILL');
    await set?.stop();
  });

  async function ask(method, path, options) {
    const response = await service.request(method, path, options);
    const text = await response.text();
    assert.ok(response.status < 500, `${response.status}: ${text}`);
    return contract.check(method, path, response.status, response.headers.get('content-type'), text);
  }

  // A real order with some of its parts replaced or added, so that the fuzz gets behind the first check.
  const almostAnOrder = fc.record({
    customerId: fc.oneof(fc.constant('c-1'), fc.string(), fc.jsonValue()),
    currency: fc.oneof(fc.constant('EUR'), fc.string({ minLength: 3, maxLength: 3 })),
    note: fc.oneof(fc.string({ unit: 'binary', maxLength: 600 }), fc.string()),
    items: fc.array(fc.record({
      sku: fc.string({ unit: 'binary', maxLength: 70 }),
      quantity: fc.oneof(fc.integer({ min: 1, max: 1000 }), fc.double(), fc.integer()),
      unitAmount: fc.oneof(fc.integer({ min: 0, max: 1_000_000_000 }), fc.maxSafeInteger()),
    }, { requiredKeys: ['sku', 'quantity'] }), { maxLength: 5 }),
  }, { requiredKeys: ['customerId', 'items'] });

  test('bodies never give a 5xx', async () => {
    let accepted = 0;
    const body = fc.oneof(fc.string({ unit: 'binary' }), fc.json(), almostAnOrder.map((order) => JSON.stringify(order)),
      fc.record({ note: fc.string({ unit: 'binary', maxLength: 500 }), sku: fc.string({ unit: 'binary', minLength: 1, maxLength: 30 }) })
        .map(({ note, sku }) => JSON.stringify(newOrder({ note, items: [{ sku, quantity: 1, unitAmount: 1 }] }))));
    await fc.assert(fc.asyncProperty(body, async (text) => {
      const answer = await ask('POST', '/v1/orders', { body: text });
      if (answer.id === undefined) return;
      accepted += 1;
      assert.equal(answer.note, JSON.parse(text).note?.toWellFormed?.() ?? answer.note);
      await ask('GET', `/v1/orders/${answer.id}`);
    }), { numRuns: RUNS });
    assert.ok(accepted > 0, 'no order was accepted: the fuzz stops at the first check');
  });

  test('queries and headers never give a 5xx', async () => {
    const header = fc.string({ maxLength: 200 }).map((text) => text.replaceAll(/[^\x20-\x7e]/g, '')).filter((text) => text.trim() === text);
    const query = fc.record({
      limit: fc.oneof(fc.integer(), fc.string()), cursor: fc.oneof(fc.base64String(), fc.string({ minLength: 16, maxLength: 16 })),
      status: fc.string(), customerId: fc.string(), other: fc.string(),
    }, { requiredKeys: [] });
    await fc.assert(fc.asyncProperty(query, header, async (parameters, key) => {
      await ask('GET', `/v1/orders?${new URLSearchParams(parameters)}`);
      await ask('POST', '/v1/orders', { body: newOrder(), headers: key === '' ? {} : { 'idempotency-key': key } });
    }), { numRuns: Math.ceil(RUNS / 2) });
  });

  test('changes never give a 5xx', async () => {
    const { id } = await ask('POST', '/v1/orders', { body: newOrder() });
    const change = fc.oneof(fc.json(), fc.record({ status: fc.constantFrom('placed', 'paid', 'shipped', 'delivered', 'cancelled', 'x'), version: fc.oneof(fc.integer(), fc.constant(1)) }, { requiredKeys: [] }).map((value) => JSON.stringify(value)));
    await fc.assert(fc.asyncProperty(change, fc.constantFrom(id, 'x', '0'.repeat(24), '%2e'), async (body, which) => {
      await ask('PATCH', `/v1/orders/${which}`, { body });
    }), { numRuns: RUNS });
  });
});
