// Every error leaves in one shape: application/problem+json (RFC 9457).
import { isUnavailable } from './database-errors.js';
import { describeViolations } from './validation.js';

const RETRY_AFTER_SECONDS = 2;

export class Problem extends Error {
  constructor(status, kind, title, detail, more = {}) {
    super(detail);
    this.name = 'Problem';
    this.statusCode = status;
    this.body = { type: kind === null ? 'about:blank' : `urn:problem-type:orders-api:${kind}`, title, status, detail, ...more };
  }
}

export const problems = {
  notFound: (what) => new Problem(404, 'not-found', 'Not found', what),
  unavailable: () => new Problem(503, 'database-unavailable', 'The database is not available',
    'The request may or may not have been carried out. Repeat it; with the same Idempotency-Key nothing is created twice.'),
  rateLimited: (seconds) => new Problem(429, 'rate-limited', 'Too many requests', `This client has used up its requests. Try again in ${seconds} s.`),
};

/** Turns whatever was thrown into a Problem; null when it is a fault of the service itself. */
export function asProblem(error) {
  if (error instanceof Problem) return error;
  if (error.validation) {
    return new Problem(400, 'invalid-request', 'The request is not valid', `See errors for what to change in the ${error.validationContext}.`,
      { errors: describeViolations(error.validation, error.validationContext) });
  }
  if (isUnavailable(error)) return problems.unavailable();
  const client = CLIENT_ERRORS[error.code];
  if (client !== undefined) return new Problem(...client);
  if (error.statusCode >= 400 && error.statusCode < 500) return new Problem(error.statusCode, 'bad-request', 'Bad request', error.message);
  return null;
}

const CLIENT_ERRORS = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [415, 'unsupported-media-type', 'Unsupported media type', 'Send the body as application/json.'],
  FST_ERR_CTP_BODY_TOO_LARGE: [413, 'body-too-large', 'The body is too large', 'Send a smaller body.'],
  FST_ERR_CTP_EMPTY_JSON_BODY: [400, 'invalid-json', 'The body is not JSON', 'The body is empty; send a JSON object.'],
  FST_ERR_CTP_INVALID_JSON_BODY: [400, 'invalid-json', 'The body is not JSON', 'The body cannot be parsed as JSON.'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: [400, 'invalid-length', 'The body has another length', 'Content-Length and body differ.'],
};

export function answerWithProblem(error, request, reply) {
  const known = asProblem(error);
  if (known === null) request.log.error({ err: error }, 'request failed unexpectedly');
  else if (known.statusCode === 503 && known !== error) request.log.warn({ err: error }, 'request failed without the database');
  const problem = known ?? new Problem(500, 'internal', 'Internal error', 'The fault is in the service, not in the request; its log has the request id.');
  if (problem.statusCode === 503) reply.header('retry-after', RETRY_AFTER_SECONDS);
  return reply
    .code(problem.statusCode)
    .type('application/problem+json')
    // Already JSON: what is said must not depend on which statuses a route has schemas for.
    .serializer((body) => body)
    .send(JSON.stringify({ ...problem.body, requestId: request.id }));
}
