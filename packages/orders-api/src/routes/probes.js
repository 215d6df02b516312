// What Kubernetes asks. Neither counts against a client's rate.
const state = (description) => ({
  description,
  type: 'object',
  required: ['status'],
  additionalProperties: false,
  properties: { status: { type: 'string' }, reason: { type: 'string' } },
});

export async function probeRoutes(app, { database, lifecycle, metrics }) {
  const config = { rateLimit: false };

  // Never touches the database: a restart of this process does not repair another one.
  app.get('/livez', {
    config,
    logLevel: 'warn',
    schema: { tags: ['probes'], operationId: 'livez', summary: 'Whether the process works', response: { 200: state('It does') } },
  }, async () => ({ status: 'ok' }));

  app.get('/readyz', {
    config,
    logLevel: 'warn',
    schema: {
      tags: ['probes'],
      operationId: 'readyz',
      summary: 'Whether requests should be sent here',
      response: { 200: state('They should'), 503: state('Not now; `reason` says why') },
    },
  }, async (_request, reply) => {
    const reason = lifecycle.draining ? 'shutting down' : await database.check();
    metrics.ready.set(reason === null ? 1 : 0);
    if (reason === null) return { status: 'ok' };
    return reply.code(503).send({ status: 'not ready', reason });
  });
}
