// Writes openapi.json, the document that the service serves: for readers and for generators of clients. A test compares the two.
import { writeFileSync } from 'node:fs';

import { offlineApp } from '../test/support/offline-app.js';

const { app, database } = await offlineApp();
writeFileSync(new URL('../openapi.json', import.meta.url), `${JSON.stringify(app.swagger(), null, 2)}\n`);
await app.close();
await database.close();
