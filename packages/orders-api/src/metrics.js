// What is counted. All series have bounded labels: routes by their pattern, never by what was asked for.
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';

export function createMetrics() {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const metrics = {
    registry,
    requestSeconds: new Histogram({
      name: 'orders_api_http_request_duration_seconds', help: 'Time from the arrival of a request to the end of its response',
      labelNames: ['method', 'route', 'status'], buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10], registers,
    }),
    requestsInFlight: new Gauge({ name: 'orders_api_http_requests_in_flight', help: 'Requests that are being answered', registers }),
    rateLimited: new Counter({ name: 'orders_api_rate_limited_total', help: 'Requests refused because the client had used up its rate', registers }),
    ordersCreated: new Counter({ name: 'orders_api_orders_created_total', help: 'Requests to create an order by outcome', labelNames: ['outcome'], registers }),
    statusChanges: new Counter({ name: 'orders_api_status_changes_total', help: 'Requests to change a status by outcome', labelNames: ['outcome'], registers }),
    databaseConnections: new Gauge({ name: 'orders_api_database_connections', help: "Open connections of the driver's pools", registers }),
    databaseUp: new Gauge({ name: 'orders_api_database_up', help: '1 when the last look at the database succeeded', registers }),
    ready: new Gauge({ name: 'orders_api_ready', help: 'What /readyz said last: 1 ready, 0 not', registers }),
  };
  // A counter that appears with its first event hides that event from rate().
  for (const outcome of ['created', 'repeated', 'mismatch']) metrics.ordersCreated.inc({ outcome }, 0);
  for (const outcome of ['changed', 'unchanged', 'stale', 'forbidden', 'missing']) metrics.statusChanges.inc({ outcome }, 0);
  return metrics;
}

/** Measures every request of the application and logs those that are not probes. */
export function observeRequests(app, metrics) {
  app.addHook('onRequest', async () => { metrics.requestsInFlight.inc(); });
  app.addHook('onResponse', async (request, reply) => {
    metrics.requestsInFlight.dec();
    const route = request.routeOptions.url ?? '__unmatched__';
    metrics.requestSeconds.observe({ method: request.method, route, status: reply.statusCode }, reply.elapsedTime / 1000);
    request.log.info({ method: request.method, route, status: reply.statusCode, elapsed_ms: Math.round(reply.elapsedTime), client: request.ip }, 'request answered');
  });
}
