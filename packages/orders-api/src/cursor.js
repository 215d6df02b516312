// Where a page ends: the id of its last order, opaque to clients. Pages go by id, which never changes, so orders that come or
// change between two pages neither shift nor repeat others.
import { ObjectId } from 'mongodb';

export const CURSOR_PATTERN = '^[A-Za-z0-9_-]{16}$';

export function encodeCursor(id) {
  return Buffer.from(id.toHexString(), 'hex').toString('base64url');
}

export function decodeCursor(cursor) {
  return new ObjectId(Buffer.from(cursor, 'base64url').toString('hex'));
}
