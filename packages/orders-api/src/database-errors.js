// What an error of the driver means for the service: whose fault it is and what to do.
import { MongoError, MongoServerError } from 'mongodb';

const UNAUTHORIZED = 13;
const AUTHENTICATION_FAILED = 18;
const MAX_TIME_EXPIRED = 50;
const WRITE_CONCERN_CODES = new Set([64, 91, 100]);

/** @returns {{kind: string, advice: string}} kind is stable: it decides what counts as news. */
export function explain(error) {
  const root = rootCause(error);
  if (root.code === AUTHENTICATION_FAILED || /auth(entication)? (failed|mechanism)/i.test(root.message)) {
    return { kind: 'authentication', advice: 'the database refuses user or password; check them and authSource in MONGODB_URL' };
  }
  if (root.code === UNAUTHORIZED) {
    return { kind: 'privileges', advice: "the database user lacks privileges; grant it readWrite on the service's database" };
  }
  if (!(error instanceof MongoServerError)) {
    return { kind: 'unreachable', advice: 'no usable member of the database answers; check that it runs, its host names and replicaSet in MONGODB_URL, and network policies' };
  }
  return { kind: 'failing', advice: `the database answers with an error (${root.codeName ?? root.code})` };
}

/** Whether an error says that the database cannot serve now, so that the same request may succeed later. */
export function isUnavailable(error) {
  if (!(error instanceof MongoError)) return false;
  if (!(error instanceof MongoServerError)) return true;
  return error.hasErrorLabel('RetryableWriteError')
    || error.code === UNAUTHORIZED || error.code === AUTHENTICATION_FAILED || error.code === MAX_TIME_EXPIRED
    || WRITE_CONCERN_CODES.has(error.code)
    // Shutting down, stepping down, recovering, not primary: the families of "state change" errors.
    || [11600, 11602, 10107, 13435, 13436, 189, 262, 9001, 7, 6, 89].includes(error.code);
}

function rootCause(error) {
  let root = error;
  while (root.cause instanceof Error) root = root.cause;
  return root;
}
