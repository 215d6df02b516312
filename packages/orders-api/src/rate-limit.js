// So many requests in a window for each client, counted in this process: with n instances a client gets up to n times as many.
// A shared limit belongs to the edge, which sees all requests; this one protects the database when the edge does not.
import rateLimit from '@fastify/rate-limit';

import { problems } from './problem.js';

export async function limitRate(app, { config, metrics }) {
  if (config.rateLimitMax === 0) return;
  await app.register(rateLimit, {
    max: config.rateLimitMax,
    timeWindow: config.rateLimitWindowSeconds * 1000,
    // IPv6 clients count by /64 (the default): that is what one subscriber gets.
    errorResponseBuilder: (_request, { ttl }) => problems.rateLimited(Math.max(1, Math.ceil(ttl / 1000))),
    onExceeded: () => metrics.rateLimited.inc(),
  });
}
