// The connection to MongoDB: one client, prepared in the background for as long as it takes, and what is known of its health.
import { setTimeout as sleep } from 'node:timers/promises';

import { MongoClient } from 'mongodb';

import { version } from './logger.js';
import { explain } from './database-errors.js';

// Each bounds one attempt and is longer than the one before, so that the layer that knows most answers first: the server's own
// limits, then a socket on which nothing comes any more. The driver repeats an attempt once, on another primary when there is one.
const OPERATION_LIMIT_MS = 5000;
const SOCKET_TIMEOUT_MS = 8000;
const SERVER_SELECTION_TIMEOUT_MS = 5000;
// A pod that was restarted has another address, and nobody answers at the old one. Whoever is still waiting there (30 seconds by default)
// does not see that the member has become primary, so it is twice in one selection that the name is looked up anew.
const CONNECT_TIMEOUT_MS = 2000;
const PING_TIMEOUT_MS = 1000;
const PREPARE_RETRY_MS = 1000;
// Indexes are asked for again: whoever drops the collection below a running service takes the unique index with it.
const PREPARE_AGAIN_MS = 60_000;

export class Database {
  #client;
  #logger;
  #metrics;
  #stop = new AbortController();
  #ping;
  #prepared = false;
  #problem = { kind: 'starting', advice: 'the database has not been reached yet' };

  constructor(config, { logger, metrics }) {
    this.#logger = logger;
    this.#metrics = metrics;
    this.#client = new MongoClient(config.mongodbUrl, {
      appName: 'orders-api',
      driverInfo: { name: 'orders-api', version },
      maxPoolSize: config.maxPoolSize,
      serverSelectionTimeoutMS: SERVER_SELECTION_TIMEOUT_MS,
      connectTimeoutMS: CONNECT_TIMEOUT_MS,
      socketTimeoutMS: SOCKET_TIMEOUT_MS,
      retryWrites: true,
      retryReads: true,
      writeConcern: { w: 'majority', wtimeoutMS: OPERATION_LIMIT_MS },
      readConcern: { level: 'majority' },
    });
    this.#client.on('connectionCreated', () => metrics.databaseConnections.inc());
    this.#client.on('connectionClosed', () => metrics.databaseConnections.dec());
    /** For `maxTimeMS` of each operation. */
    this.operationLimitMs = OPERATION_LIMIT_MS;
    this.orders = this.#client.db(config.database).collection('orders');
  }

  /** Connects and creates the indexes, again and again until both worked. Returns at once. */
  start() {
    this.#prepareForever().catch((error) => {
      if (error.name !== 'AbortError') throw error;
    });
  }

  async #prepareForever() {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      let error = null;
      try {
        await this.#client.connect();
        await this.#createIndexes();
        this.#prepared = true;
      } catch (caught) {
        error = caught;
      }
      if (signal.aborted) return;
      this.#note(error === null ? null : explain(error), error);
      await sleep(error === null ? PREPARE_AGAIN_MS : PREPARE_RETRY_MS, undefined, { signal });
    }
  }

  async #createIndexes() {
    await this.orders.createIndexes([
      // Sparse: an order without a key has none to be unique.
      { key: { 'idempotency.key': 1 }, name: 'idempotency_key', unique: true, sparse: true },
      { key: { customerId: 1, _id: -1 }, name: 'customer_newest_first' },
      { key: { status: 1, _id: -1 }, name: 'status_newest_first' },
    ]);
  }

  /** Whether the database was reached once and the unique index is there; before that, duplicates could not be told. */
  get prepared() {
    return this.#prepared;
  }

  /** Null when the database can be used, else what is wrong in one sentence; within a second. */
  async check() {
    // Until then the background connects, and knows more than a second attempt beside it would.
    if (!this.#prepared) return this.#problem.advice;
    this.#ping ??= this.#pingOnce().finally(() => { this.#ping = undefined; });
    const late = sleep(PING_TIMEOUT_MS, LATE, { ref: false });
    if (await Promise.race([this.#ping, late]) === LATE && this.#problem === null) this.#note(NO_ANSWER);
    return this.#problem?.advice ?? null;
  }

  async #pingOnce() {
    try {
      // Any member will do: an election concerns all instances alike, and taking all of them out would only add to it.
      await this.#client.db('admin').command({ ping: 1 }, { readPreference: 'primaryPreferred' });
      this.#note(null);
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#note(explain(error), error);
    }
  }

  /** Takes note of how the database is. Logs changes only, so that an outage of an hour is two lines. */
  #note(problem, error) {
    this.#metrics.databaseUp.set(problem === null ? 1 : 0);
    const news = problem?.kind !== this.#problem?.kind;
    this.#problem = problem;
    if (!news) return;
    if (problem === null) this.#logger.info('the database answers');
    else this.#logger.error({ err: error, cause: problem.kind, advice: problem.advice }, 'the database cannot be used');
  }

  async close() {
    this.#stop.abort();
    await this.#client.close();
  }
}

const LATE = Symbol('late');
const NO_ANSWER = { kind: 'unreachable', advice: `the database did not answer within ${PING_TIMEOUT_MS} ms` };
