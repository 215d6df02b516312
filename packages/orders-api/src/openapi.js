// The OpenAPI document: generated from the schemas that requests are validated by, so it cannot drift from them.
import swagger from '@fastify/swagger';

import { version } from './logger.js';

export async function describeApi(app) {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Orders', version, description: 'Orders, stored in a MongoDB replica set. Errors are application/problem+json.', license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
      servers: [{ url: '/' }],
      tags: [{ name: 'orders' }, { name: 'probes' }, { name: 'about' }],
    },
    refResolver: { buildLocalReference: (schema) => schema.$id },
  });
}

export async function aboutRoutes(app) {
  app.get('/openapi.json', {
    schema: { tags: ['about'], operationId: 'openapi', summary: 'This document', response: { 200: { description: 'OpenAPI 3.1', type: 'object', additionalProperties: true } } },
  }, async () => app.swagger());

  app.get('/', {
    schema: {
      tags: ['about'],
      operationId: 'about',
      summary: 'What this is and where to go on',
      response: {
        200: {
          description: 'Links',
          type: 'object',
          required: ['name', 'version', 'links'],
          properties: { name: { type: 'string' }, version: { type: 'string' }, links: { type: 'object', additionalProperties: { type: 'string' } } },
        },
      },
    },
  }, async () => ({ name: 'orders-api', version, links: { orders: '/v1/orders', openapi: '/openapi.json', ready: '/readyz' } }));
}
