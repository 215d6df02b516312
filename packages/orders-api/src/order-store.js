// Orders in MongoDB. Every write waits for the majority and carries its own condition, so that repeating it is safe.
import { Long, ObjectId } from 'mongodb';

import { decodeCursor, encodeCursor } from './cursor.js';
import { decideStatusChange, totalAmount } from './orders.js';

const DUPLICATE_KEY = 11000;
// Each round lost means that somebody else changed the order, which can happen as often as there are transitions.
const CHANGE_ROUNDS = 5;

export class OrderStore {
  #database;

  constructor(database) {
    this.#database = database;
  }

  get #orders() {
    return this.#database.orders;
  }

  get #limit() {
    return { maxTimeMS: this.#database.operationLimitMs };
  }

  /**
   * @param request the validated body
   * @param idempotency `{key, fingerprint}`, or undefined
   * @returns `{outcome: 'created' | 'repeated' | 'mismatch', order}`
   */
  async create(request, idempotency) {
    const now = new Date();
    const order = {
      _id: new ObjectId(),
      ...(idempotency === undefined ? {} : { idempotency }),
      customerId: request.customerId,
      status: 'placed',
      currency: request.currency,
      // 64-bit integers: money is never a double.
      items: request.items.map((item) => ({ sku: item.sku, quantity: item.quantity, unitAmount: Long.fromNumber(item.unitAmount) })),
      totalAmount: Long.fromNumber(totalAmount(request.items)),
      ...(request.note === undefined ? {} : { note: request.note }),
      version: 1,
      createdAt: now,
      updatedAt: now,
    };
    if (idempotency === undefined) {
      await this.#orders.insertOne(order, this.#limit);
      return { outcome: 'created', order: present(order) };
    }
    const stored = await this.#insertOrFind(order);
    if (stored._id.equals(order._id)) return { outcome: 'created', order: present(stored) };
    return { outcome: stored.idempotency.fingerprint === idempotency.fingerprint ? 'repeated' : 'mismatch', order: present(stored) };
  }

  // Not an insert and, when that fails, a read: such a read might not see yet what the winner is still replicating. This one
  // waits for the majority also when it changed nothing, so what it shows cannot roll back.
  async #insertOrFind({ idempotency, ...order }) {
    const upsert = () => this.#orders.findOneAndUpdate(
      { 'idempotency.key': idempotency.key },
      { $setOnInsert: { 'idempotency.fingerprint': idempotency.fingerprint, ...order } },
      { upsert: true, returnDocument: 'after', ...this.#limit },
    );
    try {
      return await upsert();
    } catch (error) {
      // The server retries the loser of two concurrent upserts by itself, mostly.
      if (error.code !== DUPLICATE_KEY) throw error;
      return upsert();
    }
  }

  /** @returns the order or null */
  async read(id) {
    const order = await this.#orders.findOne({ _id: new ObjectId(id) }, this.#limit);
    return order === null ? null : present(order);
  }

  /** Newest first. @returns `{orders, nextCursor}`; the cursor is null on the last page. */
  async list({ limit, cursor, status, customerId }) {
    const filter = {
      ...(cursor === undefined ? {} : { _id: { $lt: decodeCursor(cursor) } }),
      ...(status === undefined ? {} : { status }),
      ...(customerId === undefined ? {} : { customerId }),
    };
    const found = await this.#orders.find(filter, { sort: { _id: -1 }, limit: limit + 1, ...this.#limit }).toArray();
    const page = found.slice(0, limit);
    return {
      orders: page.map(present),
      nextCursor: found.length > limit ? encodeCursor(page.at(-1)._id) : null,
    };
  }

  /** @returns `{outcome: 'changed' | 'unchanged' | 'stale' | 'forbidden' | 'missing', order}` */
  async changeStatus(id, status, seenVersion) {
    const _id = new ObjectId(id);
    let order;
    for (let round = 0; round < CHANGE_ROUNDS; round += 1) {
      order = await this.#orders.findOne({ _id }, this.#limit);
      if (order === null) return { outcome: 'missing' };
      const decision = decideStatusChange(order, status, seenVersion);
      if (decision === 'nothing') return { outcome: 'unchanged', order: present(order) };
      if (decision !== 'change') return { outcome: decision, order: present(order) };
      const changed = await this.#orders.findOneAndUpdate(
        { _id, version: order.version },
        { $set: { status, updatedAt: new Date() }, $inc: { version: 1 } },
        { returnDocument: 'after', ...this.#limit },
      );
      if (changed !== null) return { outcome: 'changed', order: present(changed) };
    }
    return { outcome: 'stale', order: present(order) };
  }
}

function present({ _id, idempotency: _, ...order }) {
  return {
    id: _id.toHexString(),
    ...order,
    items: order.items.map((item) => ({ ...item, unitAmount: Number(item.unitAmount) })),
    totalAmount: Number(order.totalAmount),
    createdAt: order.createdAt.toISOString(),
    updatedAt: order.updatedAt.toISOString(),
  };
}
