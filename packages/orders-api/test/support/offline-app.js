// The application in this process, with a client that is never asked to connect.
import { buildApp } from '../../src/app.js';
import { loadConfig } from '../../src/config.js';
import { Database } from '../../src/database.js';
import { createLogger } from '../../src/logger.js';
import { createMetrics } from '../../src/metrics.js';
import { OrderStore } from '../../src/order-store.js';

export async function offlineApp(environment = {}) {
  const { config, errors } = loadConfig({ MONGODB_URL: 'mongodb://127.0.0.1:1/', LOG_LEVEL: 'silent', ...environment });
  if (errors.length > 0) throw new Error(errors.join('\n'));
  const logger = createLogger(config);
  const metrics = createMetrics();
  const database = new Database(config, { logger, metrics });
  const lifecycle = { draining: false };
  const app = await buildApp({ config, logger, metrics, database, store: new OrderStore(database), lifecycle });
  return { app, database, metrics, lifecycle };
}
