// Ports for servers of tests, from a range of their own. Test files run side by side, and a port is free for a moment while its
// server restarts: so each process takes a block of ports, which is its own for as long as it listens on the block's first.
import { createServer } from 'node:net';

const FIRST = 28100;
const BLOCKS = 6;
const BLOCK = 16;

let block;
let next = 0;

export async function freePort() {
  block ??= claimBlock();
  const first = await block;
  for (let tried = 1; tried < BLOCK; tried += 1) {
    const port = first + 1 + (next++ % (BLOCK - 1));
    const server = await listen(port);
    if (server === null) continue;
    await new Promise((resolve) => { server.close(resolve); });
    return port;
  }
  throw new Error(`no port is free from ${first + 1} to ${first + BLOCK - 1}`);
}

async function claimBlock() {
  for (let index = 0; index < BLOCKS; index += 1) {
    const holder = await listen(FIRST + index * BLOCK);
    if (holder === null) continue;
    holder.unref();
    return FIRST + index * BLOCK;
  }
  throw new Error(`all ${BLOCKS} blocks of ports from ${FIRST} on are taken; do tests run elsewhere on this machine?`);
}

function listen(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(null));
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}
