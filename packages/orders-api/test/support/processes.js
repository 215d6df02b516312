// Child processes that end with the test, however the test ends.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';

const SETPRIV = '/usr/bin/setpriv';
const children = new Set();

process.on('exit', () => { for (const child of children) child.kill('SIGKILL'); });

export function start(command, args, options) {
  // The kernel ends the child when this process is killed and cannot do it.
  const [file, argv] = existsSync(SETPRIV) ? [SETPRIV, ['--pdeathsig', 'KILL', command, ...args]] : [command, args];
  const child = spawn(file, argv, options);
  children.add(child);
  child.ended = new Promise((resolve) => {
    child.once('close', (code, signal) => {
      children.delete(child);
      resolve({ code, signal });
    });
  });
  return child;
}

/** Repeats `attempt` until it returns something true; its errors count as not yet. */
export async function eventually(what, attempt, limitMs = 60_000) {
  const end = Date.now() + limitMs;
  let last;
  for (;;) {
    try {
      const result = await attempt();
      if (result) return result;
      last = result;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) throw new Error(`waited ${limitMs} ms for: ${what}; last: ${last}`);
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
}
