// /v1/orders: create, read, list, change the status.
import { fingerprint } from '../fingerprint.js';
import { TRANSITIONS } from '../orders.js';
import { Problem, problems } from '../problem.js';
import { createHeaders, listQuery, newOrder, orderId, orderPage, responses, statusChange } from '../schemas.js';

const one = (description) => ({ description, content: { 'application/json': { schema: { $ref: 'Order#' } } } });

export async function orderRoutes(app, { store, database, metrics }) {
  const tags = ['orders'];
  app.addHook('preHandler', async () => {
    if (!database.prepared) throw problems.unavailable();
  });

  app.post('/v1/orders', {
    schema: {
      tags,
      operationId: 'createOrder',
      summary: 'Create an order',
      description: 'With an Idempotency-Key the request can be repeated: the same key and body give the same order.',
      headers: createHeaders,
      body: newOrder,
      response: responses({ 200: one('The key was used before with the same body: that order, as it is now'), 201: one('Created') }, 400, 413, 415, 422, 429, 500, 503),
    },
  }, async (request, reply) => {
    const key = request.headers['idempotency-key'];
    const idempotency = key === undefined ? undefined : { key, fingerprint: fingerprint(request.body) };
    const { outcome, order } = await store.create(request.body, idempotency);
    metrics.ordersCreated.inc({ outcome });
    if (outcome === 'mismatch') {
      throw new Problem(422, 'idempotency-key-reused', 'The Idempotency-Key was used before',
        'That key belongs to an order with another body. Use a new key for a new order.');
    }
    return reply.code(outcome === 'created' ? 201 : 200).header('location', `/v1/orders/${order.id}`).send(order);
  });

  app.get('/v1/orders', {
    schema: {
      tags,
      operationId: 'listOrders',
      summary: 'List orders, newest first',
      querystring: listQuery,
      response: responses({ 200: { description: 'A page', ...jsonOf(orderPage) } }, 400, 429, 500, 503),
    },
  }, async (request) => store.list(request.query));

  app.get('/v1/orders/:id', {
    schema: {
      tags,
      operationId: 'readOrder',
      summary: 'Read an order',
      params: orderId,
      response: responses({ 200: one('The order') }, 400, 404, 429, 500, 503),
    },
  }, async (request) => {
    const order = await store.read(request.params.id);
    if (order === null) throw missing(request.params.id);
    return order;
  });

  app.patch('/v1/orders/:id', {
    schema: {
      tags,
      operationId: 'changeOrderStatus',
      summary: 'Change the status of an order',
      description: Object.entries(TRANSITIONS).map(([from, to]) => `${from} → ${to.length === 0 ? '(end)' : to.join(' | ')}`).join('; ')
        + '. Asking for the status that the order has already changes nothing and succeeds.',
      params: orderId,
      body: statusChange,
      response: responses({ 200: one('The order with that status') }, 400, 404, 409, 413, 415, 429, 500, 503),
    },
  }, async (request) => {
    const { id } = request.params;
    const { status, version } = request.body;
    const { outcome, order } = await store.changeStatus(id, status, version);
    metrics.statusChanges.inc({ outcome });
    if (outcome === 'missing') throw missing(id);
    if (outcome === 'changed' || outcome === 'unchanged') return order;
    const now = { currentStatus: order.status, currentVersion: order.version, allowedStatuses: TRANSITIONS[order.status] };
    if (outcome === 'stale') {
      throw new Problem(409, 'order-changed', 'The order has changed', `It is ${order.status} now, in version ${order.version}. Read it and decide again.`, now);
    }
    const next = now.allowedStatuses.length === 0 ? 'it is finished' : `only ${now.allowedStatuses.join(' or ')} may follow`;
    throw new Problem(409, 'transition-not-allowed', 'That status cannot follow', `The order is ${order.status}: ${next}.`, now);
  });
}

function missing(id) {
  return problems.notFound(`There is no order ${id}.`);
}

function jsonOf(schema) {
  return { content: { 'application/json': { schema } } };
}
