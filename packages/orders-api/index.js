// The orders service: reads its configuration, serves at once, finds the database in the background, drains on SIGTERM.
import process from 'node:process';

import { buildApp } from './src/app.js';
import { loadConfig } from './src/config.js';
import { Database } from './src/database.js';
import { drainOnSignals } from './src/drain.js';
import { createLogger } from './src/logger.js';
import { createMetrics } from './src/metrics.js';
import { startMetricsServer } from './src/metrics-server.js';
import { OrderStore } from './src/order-store.js';

const { config, errors } = loadConfig(process.env);
if (errors.length > 0) {
  process.stderr.write(`orders-api cannot start; its configuration comes from the environment:\n${errors.map((error) => `  ${error}\n`).join('')}`);
  process.exit(2);
}

const logger = createLogger(config);
process.on('uncaughtException', (error) => {
  logger.fatal({ err: error }, 'unexpected error, giving up');
  process.exit(1);
});

const metrics = createMetrics();
const database = new Database(config, { logger, metrics });
const store = new OrderStore(database);
const lifecycle = { draining: false };
const app = await buildApp({ config, logger, metrics, database, store, lifecycle });

try {
  const metricsServer = await startMetricsServer({ host: config.host, port: config.metricsPort, metrics });
  await app.listen({ host: config.host, port: config.port });
  database.start();
  drainOnSignals({ app, metricsServer, database, lifecycle, config, logger });
  logger.info({ port: config.port, metrics_port: config.metricsPort, database: config.database, mongodb: config.mongodbHosts }, 'serving');
} catch (error) {
  logger.fatal({ err: error }, 'cannot listen; is another process using the port?');
  process.exit(1);
}
