// What an order is and may become. Pure: no database, no HTTP.

/** The statuses that may follow each status. An order without a successor is finished. */
export const TRANSITIONS = Object.freeze({
  placed: ['paid', 'cancelled'],
  paid: ['shipped', 'cancelled'],
  shipped: ['delivered'],
  delivered: [],
  cancelled: [],
});

export const STATUSES = Object.keys(TRANSITIONS);

/** In the currency's smallest unit. Within 2^53 by the limits of the schema: 100 items of 1,000 pieces of 1,000,000,000. */
export function totalAmount(items) {
  return items.reduce((sum, item) => sum + item.quantity * item.unitAmount, 0);
}

/**
 * What a request for `status` means for an order: `change`, `nothing` (it has that status already, so that a repeated request
 * is harmless), `stale` (the client saw another version) or `forbidden`.
 */
export function decideStatusChange(order, status, seenVersion) {
  if (order.status === status) return 'nothing';
  if (seenVersion !== undefined && seenVersion !== order.version) return 'stale';
  return TRANSITIONS[order.status].includes(status) ? 'change' : 'forbidden';
}
