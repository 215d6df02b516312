// The end: not ready → wait until no load balancer sends any more → finish what has begun → close the database → exit.
import { setTimeout as sleep } from 'node:timers/promises';

export function drainOnSignals(parts) {
  let begun = false;
  const onSignal = (signal) => {
    if (begun) {
      parts.logger.warn({ signal }, 'second signal, stopping at once');
      process.exit(1);
    }
    begun = true;
    // Whoever presses Ctrl-C has no load balancer that must be waited for.
    const delayMs = signal === 'SIGINT' ? 0 : parts.config.shutdownDelayMs;
    drain(parts, signal, delayMs).then((code) => process.exit(code));
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
}

async function drain({ app, metricsServer, database, lifecycle, config, logger }, signal, delayMs) {
  lifecycle.draining = true;
  logger.info({ signal, delay_ms: delayMs }, 'draining: not ready any more');
  await sleep(delayMs);
  const late = sleep(config.shutdownTimeoutMs, 'late');
  const closed = (async () => {
    await app.close();
    await database.close();
    await new Promise((resolve) => { metricsServer.close(resolve).closeAllConnections(); });
    return 'closed';
  })().catch((error) => {
    logger.error({ err: error }, 'could not close');
    return 'failed';
  });
  const outcome = await Promise.race([closed, late]);
  if (outcome === 'closed') {
    logger.info('drained');
    return 0;
  }
  if (outcome === 'late') logger.error({ timeout_ms: config.shutdownTimeoutMs }, 'requests are still being answered; stopping without them');
  return 1;
}
