// The contract in three commands, in a clean copy of the repository: cd packages/orders-api, npm install, node index.js.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';

import { freePort } from './support/ports.js';
import { eventually, start } from './support/processes.js';
import { ReplicaSet } from './support/replica-set.js';
import { newOrder } from './support/service.js';

const REPOSITORY = new URL('../../../', import.meta.url).pathname;

test('cd packages/orders-api && npm install && node index.js', async () => {
  const copy = mkdtempSync(join(tmpdir(), 'orders-api-copy-'));
  const set = await ReplicaSet.start();
  let shell;
  try {
    const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', 'packages/orders-api'], { cwd: REPOSITORY, encoding: 'utf8' }).trim().split('\n');
    for (const file of files) {
      mkdirSync(dirname(join(copy, file)), { recursive: true });
      cpSync(join(REPOSITORY, file), join(copy, file));
    }
    const [port, metricsPort] = [await freePort(), await freePort()];
    let output = '';
    shell = start('sh', ['-ec', 'cd packages/orders-api\nnpm install\nexec node index.js'], {
      cwd: copy,
      // npm looks into its cache first and asks nobody about funding or audits: faster, and the same packages.
      env: {
        ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH}`, MONGODB_URL: set.uri, PORT: String(port), METRICS_PORT: String(metricsPort), SHUTDOWN_DELAY_MS: '0',
        npm_config_prefer_offline: 'true', npm_config_audit: 'false', npm_config_fund: 'false', npm_config_update_notifier: 'false',
      },
    });
    for (const stream of [shell.stdout, shell.stderr]) stream.setEncoding('utf8').on('data', (text) => { output += text; });
    await eventually('the service', async () => {
      if (shell.exitCode !== null) throw new Error(output);
      return (await fetch(`http://127.0.0.1:${port}/readyz`)).ok;
    }, 120_000).catch((error) => assert.fail(`${error.message}\n${output}`));
    assert.doesNotMatch(output, /npm warn|EBADENGINE|Warning/i);
    const created = await fetch(`http://127.0.0.1:${port}/v1/orders`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(newOrder()) });
    assert.equal(created.status, 201);
    shell.kill('SIGTERM');
    assert.deepEqual(await shell.ended, { code: 0, signal: null });
  } finally {
    shell?.kill('SIGKILL');
    await set.stop();
    rmSync(copy, { recursive: true, force: true });
  }
});
