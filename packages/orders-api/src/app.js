// The HTTP application, from its parts; it does not listen yet.
import { randomUUID } from 'node:crypto';

import Fastify, { LogController } from 'fastify';

import { observeRequests } from './metrics.js';
import { aboutRoutes, describeApi } from './openapi.js';
import { answerWithProblem, problems } from './problem.js';
import { limitRate } from './rate-limit.js';
import { orderRoutes } from './routes/orders.js';
import { probeRoutes } from './routes/probes.js';
import { order, problem } from './schemas.js';
import { compileValidator } from './validation.js';

const REQUEST_ID = /^[A-Za-z0-9._-]{1,64}$/;

export async function buildApp({ config, logger, metrics, database, store, lifecycle }) {
  const app = Fastify({
    loggerInstance: logger,
    // One line for each request, by observeRequests.
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'request_id' }),
    bodyLimit: config.bodyLimitBytes,
    trustProxy: config.trustProxy,
    // A client that never finishes its request must not hold a connection.
    requestTimeout: 30_000,
    // Longer than load balancers keep idle connections (60 s), so that they close first and never write into a closing one.
    keepAliveTimeout: 72_000,
    // While closing, requests on open connections are still answered, and told that the connection ends.
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    genReqId: ({ headers }) => (REQUEST_ID.test(headers['x-request-id'] ?? '') ? headers['x-request-id'] : randomUUID()),
    frameworkErrors: answerWithProblem,
    routerOptions: { maxParamLength: 200 },
  });

  app.setValidatorCompiler(compileValidator);
  app.setErrorHandler(answerWithProblem);
  app.addSchema(order);
  app.addSchema(problem);
  observeRequests(app, metrics);
  app.addHook('onSend', async (request, reply) => {
    reply.header('x-request-id', request.id);
    if (lifecycle.draining) reply.header('connection', 'close');
  });

  await limitRate(app, { config, metrics });
  await describeApi(app);
  await app.register(orderRoutes, { store, database, metrics });
  await app.register(probeRoutes, { database, lifecycle, metrics });
  await app.register(aboutRoutes);
  app.setNotFoundHandler(
    config.rateLimitMax === 0 ? {} : { preHandler: app.rateLimit() },
    (request) => { throw problems.notFound(`There is no ${request.method} ${request.url.split('?')[0]}; /openapi.json lists what there is.`); },
  );
  await app.ready();
  return app;
}
