/** Two writers and a sender on a world of their own: what a halted source means for all of them. */
import assert from 'node:assert/strict';
import { type App, readTopic, spawnApp, testEnvironment, until } from '#testkit';
import { type CliEnvironment, type CliWorld, openCliWorld } from './cli-world.ts';

const DEADLINE_MS = 40_000;

export interface SourceRow {
  readonly state: string;
  readonly cause: string | null;
  readonly why: string | null;
  readonly position: string;
  readonly epoch: string;
}

export class TwoWriters {
  readonly world: CliWorld;
  readonly #more: CliEnvironment;
  #writers: App[] = [];
  #sender: App | null = null;

  private constructor(world: CliWorld, more: CliEnvironment) {
    this.world = world;
    this.#more = more;
  }

  /** `make`: statements before anything runs, such as those that change the table `orders`. */
  static async open(prefix: string, make: readonly string[] = [], more: CliEnvironment = {}): Promise<TwoWriters> {
    const world = await openCliWorld(prefix);
    for (const sql of make) await world.db.query(sql);
    const { code, stderr } = await world.run(['init', '--create-topics', '--partitions', '2'], more);
    assert.equal(code, 0, stderr);
    const scene = new TwoWriters(world, more);
    scene.#sender = spawnApp('apps/sender/main.ts', { ...world.env, ...more });
    await scene.startWriters();
    return scene;
  }

  get writers(): readonly App[] {
    return this.#writers;
  }

  async startWriters(): Promise<void> {
    const env = { ...this.world.env, ...this.#more };
    this.#writers = [spawnApp('apps/writer/main.ts', env), spawnApp('apps/writer/main.ts', env)];
    for (const writer of this.#writers) await writer.waitForLog(({ msg }) => msg === 'started', DEADLINE_MS);
  }

  /** Both are killed, as by a crash of the machine, and two others come. */
  async restartWriters(): Promise<void> {
    await Promise.all(this.#writers.map((writer) => writer.kill()));
    await this.startWriters();
  }

  async sql(sql: string, values: readonly unknown[] = []): Promise<void> {
    await this.world.db.query(sql, [...values]);
  }

  /** Rows whose values no others have. */
  async insert(tag: string, count: number): Promise<void> {
    const rows = Array.from({ length: count }, (_, at) => [`${tag}-${at}`, at + 1000 * tag.length]);
    await this.world.db.query('INSERT INTO orders (customer, amount) VALUES ?', [rows]);
  }

  async source(): Promise<SourceRow> {
    const [rows] = await this.world.db.query(
      'SELECT state, cause, why, position, epoch FROM kafka_row_sender_watermark WHERE source = ?',
      ['orders'],
    );
    return (rows as SourceRow[])[0] ?? { state: 'none', cause: null, why: null, position: '0', epoch: '0' };
  }

  /** Everything is delivered, and the leader has looked at the table since. */
  async settled(): Promise<void> {
    const verified = await this.world.run(['verify', '--wait', '40'], this.#more);
    assert.equal(verified.code, 0, verified.stdout + verified.stderr);
    const { position } = await this.source();
    await until(
      'a look at the table after the last row',
      async () => {
        const [rows] = await this.world.db.query('SELECT sample FROM kafka_row_sender_source_facts');
        const { sample } = (rows as { sample: string | null }[])[0] ?? { sample: null };
        return (sample ?? '').includes(`"${position}"`);
      },
      DEADLINE_MS,
    );
  }

  /** The row says so, and each writer. */
  async halted(cause: string): Promise<SourceRow> {
    await until(`halted by ${cause}`, async () => (await this.source()).state === 'halted', DEADLINE_MS);
    for (const writer of this.#writers) {
      await writer.waitForLog(({ event }) => event === 'source-halted', DEADLINE_MS, 'a writer says that it is halted');
    }
    const row = await this.source();
    assert.equal(row.cause, cause, row.why ?? '');
    return row;
  }

  async accept(...words: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.world.run(['source', 'accept', 'orders', ...words], this.#more);
    assert.equal(code, 0, stdout + stderr);
    return stdout;
  }

  /** Values of the records by customer, and their event ids: each record once, as `read_committed` sees them. */
  async records(): Promise<readonly { readonly id: string; readonly value: Record<string, unknown> }[]> {
    const records = await readTopic(this.world.topic, { bootstrap: testEnvironment().kafkaBootstrap });
    const found = records.map(({ headers, value }) => ({ id: headers.id ?? '', value: JSON.parse(String(value)) }));
    assert.equal(new Set(found.map(({ id }) => id)).size, found.length, 'an event id twice');
    return found;
  }

  /** Each row of these tags is in the topic once, and no other row is there. */
  async assertDelivered(tags: Readonly<Record<string, number>>): Promise<void> {
    const customers = (await this.records()).map(({ value }) => String(value.customer)).sort();
    const wanted = Object.entries(tags).flatMap(([tag, count]) =>
      Array.from({ length: count }, (_, at) => `${tag}-${at}`),
    );
    assert.deepEqual(customers, wanted.sort());
  }

  async verify(): Promise<string> {
    const verified = await this.world.run(['verify', '--wait', '40'], this.#more);
    assert.equal(verified.code, 0, verified.stdout + verified.stderr);
    return verified.stdout;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#writers, ...(this.#sender === null ? [] : [this.#sender])].map((app) => app.kill()));
    await this.world.close();
  }
}
