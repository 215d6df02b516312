// The shapes of what goes in and out: what requests are validated by, and what the OpenAPI document is made of.
import { CURSOR_PATTERN } from './cursor.js';
import { STATUSES } from './orders.js';

const customerId = { type: 'string', pattern: '^[A-Za-z0-9._-]{1,64}$', description: 'the id of a customer: 1 to 64 letters, digits and . _ -', examples: ['c-1001'] };
const currency = { type: 'string', pattern: '^[A-Z]{3}$', description: 'a currency code of three capital letters (ISO 4217)', examples: ['EUR'] };
const status = { type: 'string', enum: STATUSES };
const version = { type: 'integer', minimum: 1, maximum: 2 ** 31 - 1 };
const time = { type: 'string', format: 'date-time' };
const items = {
  type: 'array',
  minItems: 1,
  maxItems: 100,
  items: {
    type: 'object',
    required: ['sku', 'quantity', 'unitAmount'],
    additionalProperties: false,
    properties: {
      sku: { type: 'string', minLength: 1, maxLength: 64, examples: ['tea-500'] },
      quantity: { type: 'integer', minimum: 1, maximum: 1000, examples: [2] },
      unitAmount: { type: 'integer', minimum: 0, maximum: 1_000_000_000, description: "price of one piece in the currency's smallest unit", examples: [450] },
    },
  },
};
const note = { type: 'string', maxLength: 500 };

export const newOrder = {
  type: 'object',
  required: ['customerId', 'currency', 'items'],
  additionalProperties: false,
  properties: { customerId, currency, items, note },
};

export const statusChange = {
  type: 'object',
  required: ['status'],
  additionalProperties: false,
  properties: {
    status,
    version: { ...version, description: 'the version of the order that was seen; when it has changed since, nothing happens (409)' },
  },
};

export const order = {
  $id: 'Order',
  type: 'object',
  required: ['id', 'customerId', 'status', 'currency', 'items', 'totalAmount', 'version', 'createdAt', 'updatedAt'],
  additionalProperties: false,
  properties: {
    id: { type: 'string', pattern: '^[0-9a-f]{24}$' },
    customerId,
    status,
    currency,
    items,
    totalAmount: { type: 'integer', minimum: 0, description: "sum of all items in the currency's smallest unit" },
    note,
    version: { ...version, description: 'grows by one with each change' },
    createdAt: time,
    updatedAt: time,
  },
};

export const orderPage = {
  type: 'object',
  required: ['orders', 'nextCursor'],
  additionalProperties: false,
  properties: {
    orders: { type: 'array', items: { $ref: 'Order#' } },
    nextCursor: { type: ['string', 'null'], description: 'for the query parameter `cursor` of the next page; null on the last one' },
  },
};

export const problem = {
  $id: 'Problem',
  type: 'object',
  description: 'RFC 9457',
  required: ['type', 'title', 'status', 'detail', 'requestId'],
  additionalProperties: false,
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer', minimum: 400, maximum: 599 },
    detail: { type: 'string' },
    requestId: { type: 'string', description: 'also in the log and in the header X-Request-Id' },
    errors: {
      type: 'array',
      items: {
        type: 'object',
        required: ['field', 'message'],
        additionalProperties: false,
        properties: { field: { type: 'string' }, message: { type: 'string' } },
      },
    },
    currentStatus: status,
    currentVersion: version,
    allowedStatuses: { type: 'array', items: status },
  },
};

export const orderId = {
  type: 'object',
  required: ['id'],
  properties: { id: { type: 'string', pattern: '^[0-9a-f]{24}$', description: 'the id of an order: 24 hexadecimal digits' } },
};

export const listQuery = {
  type: 'object',
  additionalProperties: false,
  properties: {
    limit: { type: 'integer', minimum: 1, maximum: 100, default: 20 },
    cursor: { type: 'string', pattern: CURSOR_PATTERN, description: 'the nextCursor of the page before' },
    status,
    customerId,
  },
};

export const createHeaders = {
  type: 'object',
  properties: {
    'idempotency-key': {
      type: 'string',
      pattern: '^[\\x21-\\x7e]{1,128}$',
      description: '1 to 128 visible ASCII characters that the client makes up for each order, so that it can repeat the request',
    },
  },
};

/** Responses of a route: its own, and the problems it may answer with. */
export function responses(own, ...statuses) {
  const problemResponse = { description: 'Problem', content: { 'application/problem+json': { schema: { $ref: 'Problem#' } } } };
  return { ...own, ...Object.fromEntries(statuses.map((code) => [code, { ...problemResponse, description: MEANINGS[code] }])) };
}

const MEANINGS = {
  400: 'The request is not valid; `errors` says what to change',
  404: 'There is no such order',
  409: 'The order is in another state or version',
  413: 'The body is too large',
  415: 'The body is not application/json',
  422: 'The Idempotency-Key was used with another body',
  429: 'This client has used up its requests; Retry-After says when to come back',
  500: 'A fault of the service',
  503: 'The database is not available; the request can be repeated',
};
