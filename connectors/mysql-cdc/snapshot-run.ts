/**
 * Publishes a snapshot. Rows go out as op r in key order, source.snapshot 'first', 'true', 'last'.
 * An interrupted snapshot starts again from the beginning with a new view. Keys that an earlier snapshot or stream has published and that are in none of the
 * tables now are deleted at its end: op d without images (they are not known any more), then a tombstone.
 * Event time: created_at, else 0, until a snapshot has been finished once (consumers saw no complete table before); in every later one the time of that
 * snapshot, since rows may have changed unseen. Deletes: the time of the snapshot.
 */
import { ConnectorError } from '#topology';
import { signatureOf } from './catalog.ts';
import { timeOf, type TableCodec } from './codec.ts';
import { MAX_TRANSACTION_BYTES, type SessionContext, sourceBase, topicOf } from './context.ts';
import type { ChangeSource } from './envelope.ts';
import { readToEnd, type StoredOffset } from './offsets.ts';
import { openSnapshot, type SnapshotView } from './snapshot.ts';
import { encodeChange } from './encode-change.ts';
import type { Row, TableInfo } from './types.ts';

/** Keys remembered while it is found out which are gone. */
const MAX_KEYS = 5_000_000;
const READ_LIMIT_MS = 30 * 60_000;

interface Pending {
  readonly codec: TableCodec;
  readonly info: TableInfo;
  readonly signature: string;
  readonly row: Row;
}

/** Takes and publishes a snapshot; the offset from which the binlog continues. `previous`: the stored offset, if any. */
export async function runSnapshot(context: SessionContext, previous: StoredOffset | undefined): Promise<StoredOffset> {
  const { settings, server } = context;
  const earlier = await publishedKeys(context);
  const view = await openSnapshot(settings.mysql, server, settings.database);
  try {
    return await new SnapshotRun(context, view, previous, earlier).run();
  } finally {
    view.close();
  }
}

class SnapshotRun {
  readonly #context: SessionContext;
  readonly #view: SnapshotView;
  readonly #earlier: ReadonlyMap<string, Set<string>>;
  readonly #repeated: boolean;
  readonly #startedAt = Date.now();
  readonly #time: number;
  readonly #offset: StoredOffset;
  #held: Pending | undefined;
  #rows = 0;

  constructor(
    context: SessionContext,
    view: SnapshotView,
    previous: StoredOffset | undefined,
    earlier: ReadonlyMap<string, Set<string>>,
  ) {
    this.#context = context;
    this.#view = view;
    this.#earlier = earlier;
    this.#repeated = previous?.completed === true;
    this.#time = view.clock ?? this.#startedAt;
    const { tables } = context.settings;
    const { position, clock } = view;
    this.#offset = {
      ...position,
      skip: 0,
      partial: null,
      snapshot: 'running',
      completed: this.#repeated,
      tables,
      clock,
    };
  }

  async run(): Promise<StoredOffset> {
    const { settings, catalog } = this.#context;
    settings.logger.info({ gtid: this.#offset.gtid, repeated: this.#repeated }, 'snapshot begins');
    await this.#commit(this.#offset);
    for (const table of settings.tables) {
      const info = await catalog.info(table);
      const signature = signatureOf(info.columns);
      const codec = await catalog.codec(table, info.columns, signature);
      for await (const row of this.#view.rows(info)) {
        this.#context.signal.throwIfAborted();
        await this.#publishHeld(false);
        this.#held = { codec, info, signature, row };
      }
    }
    await this.#publishHeld(true);
    const gone = await this.#publishDeletes();
    const done: StoredOffset = { ...this.#offset, snapshot: 'done', completed: true };
    await this.#commit(done);
    settings.logger.info({ rows: this.#rows, gone, ms: Date.now() - this.#startedAt }, 'snapshot done');
    return done;
  }

  async #publishHeld(last: boolean): Promise<void> {
    const held = this.#held;
    if (held === undefined) return;
    this.#held = undefined;
    const { codec, info, signature, row } = held;
    const snapshot = last ? 'last' : this.#rows === 0 ? 'first' : 'true';
    const timestamp = this.#repeated ? this.#time : (timeOf(row, 'created_at') ?? 0);
    const change = {
      before: null,
      after: row,
      op: 'r' as const,
      source: this.#source(info.table, snapshot),
      handledAt: Date.now(),
    };
    const encoded = await encodeChange(
      this.#context.catalog,
      { table: info.table, shape: info.columns, signature },
      codec,
      change,
    );
    this.#context.publisher.add(codec.topic, encoded.key, encoded.value, timestamp);
    this.#earlier.get(info.table)?.delete(encoded.key.toString('latin1'));
    this.#rows++;
    await this.#commitWhenFull();
  }

  async #publishDeletes(): Promise<number> {
    let count = 0;
    for (const [table, keys] of this.#earlier) {
      if (keys.size === 0) continue;
      const info = await this.#context.catalog.info(table);
      const codec = await this.#context.catalog.codec(table, info.columns, signatureOf(info.columns));
      for (const text of keys) {
        const key = Buffer.from(text, 'latin1');
        const source = this.#source(table, 'false');
        const value = codec.value({ before: null, after: null, op: 'd', source, handledAt: Date.now() });
        this.#context.publisher.add(codec.topic, key, value, this.#time);
        this.#context.publisher.add(codec.topic, key, null, this.#time);
        count++;
        await this.#commitWhenFull();
      }
    }
    return count;
  }

  #source(table: string, snapshot: ChangeSource['snapshot']): ChangeSource {
    const { file, pos } = this.#view.position;
    return { ...sourceBase(this.#context, table), ts_ms: this.#startedAt, snapshot, gtid: null, file, pos, row: 0 };
  }

  async #commitWhenFull(): Promise<void> {
    const { publisher, settings } = this.#context;
    if (publisher.records >= settings.maxRows || publisher.bytes >= MAX_TRANSACTION_BYTES)
      await this.#commit(this.#offset);
  }

  async #commit(offset: StoredOffset): Promise<void> {
    await this.#context.publisher.commit(offset);
    this.#context.committed(offset);
  }
}

/** Keys per table whose newest record is no tombstone: what consumers believe to exist. Empty topics cost nothing. */
async function publishedKeys({ settings, publisher, signal }: SessionContext): Promise<Map<string, Set<string>>> {
  const keys = new Map<string, Set<string>>();
  let count = 0;
  for (const table of settings.tables) {
    const topic = topicOf(settings, table);
    const live = new Set<string>();
    keys.set(table, live);
    const empty = Array.from({ length: settings.partitions }, (_, partition) => publisher.end(topic, partition)).every((end) => end === 0n); // prettier-ignore
    if (empty) continue;
    await readToEnd(settings.kafka, topic, settings.partitions, signal, READ_LIMIT_MS, (key, value) => {
      if (key === null) return;
      const text = Buffer.from(key).toString('latin1');
      if (value === null) live.delete(text);
      else live.add(text);
      if (count + live.size > MAX_KEYS) throw tooMany(topic);
    });
    count += live.size;
  }
  return keys;
}

function tooMany(topic: string): ConnectorError {
  return new ConnectorError(
    'SLC_CDC_SNAPSHOT_TOO_LARGE',
    `more than ${MAX_KEYS} keys were published before this snapshot`,
    {
      where: topic,
      hint: 'a repeated snapshot must know which keys are gone; delete the topics and the offsets topic, and start from nothing',
    },
  );
}
