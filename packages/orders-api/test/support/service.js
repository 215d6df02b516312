// The service as its users run it: a process of its own, `node index.js`.
import { freePort } from './ports.js';
import { eventually, start } from './processes.js';

const FOLDER = new URL('../../', import.meta.url).pathname;

export class Service {
  static async start(environment) {
    const service = new Service();
    const [port, metricsPort] = [await freePort(), await freePort()];
    service.url = `http://127.0.0.1:${port}`;
    service.metricsUrl = `http://127.0.0.1:${metricsPort}/metrics`;
    service.port = port;
    service.output = '';
    service.process = start(process.execPath, ['index.js'], {
      cwd: FOLDER,
      env: {
        PATH: process.env.PATH, HOST: '127.0.0.1', PORT: String(port), METRICS_PORT: String(metricsPort),
        RATE_LIMIT_MAX: '0', SHUTDOWN_DELAY_MS: '0', ...environment,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [service.process.stdout, service.process.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => { service.output += text; });
    }
    return service;
  }

  async listening() {
    return this.until('to listen', async () => (await fetch(`${this.url}/livez`)).ok);
  }

  async ready() {
    await this.listening();
    return this.until('to be ready', async () => (await fetch(`${this.url}/readyz`)).ok);
  }

  /** The service itself; ends it when it never gets there, for a service that goes on running keeps the test from ending. */
  async until(what, attempt) {
    try {
      await eventually(`the service ${what}`, attempt);
    } catch (error) {
      await this.stop('SIGKILL');
      throw new Error(`${error.message}; its output: ${this.output}`, { cause: error });
    }
    return this;
  }

  /** Log lines as objects. */
  get log() {
    // What follows the last line feed is not whole yet.
    return this.output.split('\n').slice(0, -1).filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
  }

  request(method, path, { body, headers = {} } = {}) {
    return fetch(this.url + path, {
      method,
      headers: body === undefined ? headers : { 'content-type': 'application/json', ...headers },
      body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body),
    });
  }

  async stop(signal = 'SIGTERM') {
    this.process.kill(signal);
    return this.process.ended;
  }
}

export function newOrder(overrides = {}) {
  return { customerId: 'c-1', currency: 'EUR', items: [{ sku: 'tea', quantity: 2, unitAmount: 450 }], ...overrides };
}
