// A real replica set on this machine, with elections tuned to about a second.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { MongoClient } from 'mongodb';

import { freePort } from './ports.js';
import { eventually, start } from './processes.js';

const FETCH = new URL('../../../../scripts/fetch-mongod.sh', import.meta.url).pathname;
const NAME = 'orders-test';

function mongodPath() {
  return process.env.MONGOD ?? execFileSync(FETCH, { encoding: 'utf8' }).trim().split('\n').at(-1);
}

export class ReplicaSet {
  /** @param options.ports reuses ports that a service was told before the set existed */
  static async start(options = {}) {
    const set = new ReplicaSet();
    [set.members, set.arguments] = [[], []];
    try {
      await set.begin(options);
    } catch (error) {
      // Servers that go on running would keep the test from ending, and nobody would read why.
      await set.stop();
      throw error;
    }
    return set;
  }

  async begin({ members = 1, auth = false, ports = [] }) {
    this.folder = mkdtempSync(join(tmpdir(), 'orders-api-mongod-'));
    process.on('exit', () => rmSync(this.folder, { recursive: true, force: true }));
    if (auth) {
      const keyFile = join(this.folder, 'key');
      writeFileSync(keyFile, randomBytes(96).toString('base64'), { mode: 0o400 });
      this.arguments = ['--keyFile', keyFile];
    }
    for (let index = 0; index < members; index += 1) {
      const port = ports[index] ?? await freePort();
      this.members.push({ port, host: `127.0.0.1:${port}`, data: join(this.folder, `member-${index}`) });
      mkdirSync(this.members[index].data);
      this.run(index);
    }
    // Initiation wants an answer of all at once.
    for (const index of this.members.keys()) await eventually(`member ${index}`, () => this.command(index, { hello: 1 }));
    const admin = new MongoClient(this.memberUri(0), { serverSelectionTimeoutMS: 60_000 });
    this.admin = admin;
    await admin.db('admin').command({
      replSetInitiate: {
        _id: NAME,
        members: this.members.map(({ host }, _id) => ({ _id, host })),
        settings: { electionTimeoutMillis: 1000, heartbeatIntervalMillis: 500 },
      },
    });
    await eventually('a primary', async () => (await admin.db('admin').command({ hello: 1 })).isWritablePrimary || (await this.primary()) >= 0);
    if (!auth) {
      this.client = new MongoClient(this.uri, { writeConcern: { w: 'majority' } });
      await eventually('a majority write', () => this.client.db('test').collection('started').insertOne({}));
    }
  }

  run(index) {
    const member = this.members[index];
    const log = join(this.folder, `member-${index}.log`);
    member.process = start(mongodPath(), [
      '--bind_ip', '127.0.0.1', '--port', String(member.port), '--nounixsocket', '--replSet', NAME,
      '--wiredTigerCacheSizeGB', '0.25', '--oplogSize', '64', '--dbpath', member.data, '--logpath', log, '--logappend',
      '--setParameter', 'diagnosticDataCollectionEnabled=false', '--setParameter', 'shutdownTimeoutMillisForSignaledShutdown=100',
      ...this.arguments,
    ], { stdio: 'ignore' });
    member.process.ended.then(({ code }) => {
      if (code !== null && code !== 0) process.stderr.write(`mongod ${index} ended with ${code}:\n${readFileSync(log, 'utf8').slice(-3000)}\n`);
    });
  }

  get uri() {
    return `mongodb://${this.members.map(({ host }) => host).join(',')}/?replicaSet=${NAME}`;
  }

  memberUri(index) {
    return `mongodb://${this.members[index].host}/?directConnection=true`;
  }

  /** The index of the primary by what the members say, or -1. */
  async primary() {
    for (let index = 0; index < this.members.length; index += 1) {
      try {
        if ((await this.command(index, { hello: 1 })).isWritablePrimary) return index;
      } catch {
        // Dead, or not up yet: not the primary.
      }
    }
    return -1;
  }

  /** What one member answers now. */
  async command(index, command) {
    const client = new MongoClient(this.memberUri(index), { serverSelectionTimeoutMS: 500 });
    try {
      return await client.db('admin').command(command);
    } finally {
      await client.close();
    }
  }

  async stepDown() {
    const client = new MongoClient(this.memberUri(await eventually('a primary', async () => `${await this.primary()}`.replace('-1', ''))));
    try {
      await client.db('admin').command({ replSetStepDown: 10, secondaryCatchUpPeriodSecs: 8 });
    } finally {
      await client.close();
    }
  }

  async kill(index) {
    this.members[index].process.kill('SIGKILL');
    await this.members[index].process.ended;
  }

  async stop() {
    await this.client?.close();
    await this.admin?.close();
    const servers = this.members.map(({ process: server }) => server).filter(Boolean);
    for (const server of servers) server.kill('SIGKILL');
    await Promise.all(servers.map(({ ended }) => ended));
    rmSync(this.folder, { recursive: true, force: true });
  }
}
