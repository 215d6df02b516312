// Holds what a service answers against the OpenAPI document that it serves.
import assert from 'node:assert/strict';

import addFormats from 'ajv-formats';
import { Ajv2020 } from 'ajv/dist/2020.js';

export class Contract {
  seen = new Set();

  constructor(document) {
    this.document = document;
    this.ajv = addFormats.default(new Ajv2020({ strict: false, allErrors: true }));
    this.ajv.addSchema(document, 'document');
  }

  /** Fails unless the document has that operation with that status and media type, and the body fits. */
  check(method, path, status, contentType, body) {
    const { template, operation } = this.find(method, path);
    const response = operation.responses[status];
    assert.ok(response, `${method} ${template} answers ${status}, which is not documented: ${body}`);
    const mediaType = contentType.split(';')[0];
    assert.ok(response.content?.[mediaType], `${method} ${template} answers ${status} as ${mediaType}, which is not documented`);
    const pointer = ['paths', template, method.toLowerCase(), 'responses', String(status), 'content', mediaType, 'schema']
      .map((part) => part.replaceAll('~', '~0').replaceAll('/', '~1')).map(encodeURIComponent).join('/');
    const validate = this.ajv.getSchema(`document#/${pointer}`);
    const value = JSON.parse(body);
    assert.ok(validate(value), `${method} ${template} ${status}: ${this.ajv.errorsText(validate.errors)} in ${body}`);
    this.seen.add(`${method} ${template} ${status}`);
    return value;
  }

  find(method, path) {
    const bare = path.split('?')[0];
    for (const [template, operations] of Object.entries(this.document.paths)) {
      const pattern = new RegExp(`^${template.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`);
      if (pattern.test(bare) && operations[method.toLowerCase()]) return { template, operation: operations[method.toLowerCase()] };
    }
    return assert.fail(`${method} ${bare} is not documented`);
  }

  /** `METHOD path status` of everything documented. */
  get documented() {
    return Object.entries(this.document.paths).flatMap(([template, operations]) => Object.entries(operations)
      .flatMap(([method, { responses }]) => Object.keys(responses).map((status) => `${method.toUpperCase()} ${template} ${status}`)));
  }
}
