/** Binlog items -> records and offsets: skips what was published before, keeps the sender's clock, commits at the limits. */
import { ConnectorError } from '#topology';
import type { BinlogItem, RowsItem } from './binlog-reader.ts';
import { timeOf, type TableCodec } from './codec.ts';
import { MAX_TRANSACTION_BYTES, type SessionContext, sourceBase } from './context.ts';
import { encodeChange } from './encode-change.ts';
import type { ChangeSource, Operation } from './envelope.ts';
import { AGAIN } from './failure.ts';
import type { StoredOffset } from './offsets.ts';
import { CLOCK_TABLE, clockValue } from './snapshot.ts';
import type { Row } from './types.ts';

/** Rows of a captured table went without an event each: only a new snapshot can tell which keys are left. */
export class SnapshotNeeded extends Error {
  override name = 'SnapshotNeeded';
  readonly tables: readonly string[];
  constructor(tables: readonly string[]) {
    super(`rows of ${tables.join(', ')} were removed without events`);
    this.tables = tables;
  }
}

export class ChangeWriter {
  readonly #context: SessionContext;
  /** Where we stand, all of it added to the publisher; committed once `commit` has resolved. */
  #offset: StoredOffset;
  #committed: StoredOffset;
  /** Rows of the present transaction seen so far. */
  #row = 0;

  constructor(context: SessionContext, from: StoredOffset) {
    this.#context = context;
    this.#offset = from;
    this.#committed = from;
  }

  /** Everything before this is in Kafka; ahead of `committed` where nothing captured changed. Not while `write` or `commit` runs. */
  get reached(): StoredOffset {
    return this.#offset;
  }

  /** Committed to Kafka, with everything before it. */
  get committed(): StoredOffset {
    return this.#committed;
  }

  /** The position has moved since the last commit, if only by changes of tables that are not captured. */
  get moved(): boolean {
    return this.#offset !== this.#committed;
  }

  /** Publishes the items and commits them, in several Kafka transactions where they are many. Throws SnapshotNeeded (all before it is committed). */
  async write(items: readonly BinlogItem[]): Promise<void> {
    for (const item of items) {
      if (item.kind === 'rows') await this.#rows(item);
      else if (item.kind === 'commit') this.#complete(item.position);
      else await this.#ddl(item.altered, item.emptied);
    }
    if (this.#context.publisher.records > 0) await this.commit();
  }

  async commit(): Promise<void> {
    const offset = this.#offset;
    await this.#context.publisher.commit(offset);
    this.#committed = offset;
    this.#context.committed(offset);
  }

  #complete(position: { gtid: string; file: string; pos: number }): void {
    if (this.#row < this.#offset.skip) throw this.#lost(position.gtid);
    this.#row = 0;
    this.#offset = { ...this.#offset, ...position, skip: 0, partial: null };
  }

  async #ddl(altered: readonly string[], emptied: readonly string[]): Promise<void> {
    const { settings, catalog, publisher } = this.#context;
    const captured = altered.filter((table) => settings.tables.includes(table));
    for (const table of captured) catalog.invalidate(table);
    const lost = emptied.filter((table) => settings.tables.includes(table));
    if (lost.length === 0) return;
    if (publisher.records > 0) await this.commit();
    throw new SnapshotNeeded(lost);
  }

  async #rows(item: RowsItem): Promise<void> {
    if (item.table === CLOCK_TABLE) {
      for (const { after } of item.rows) this.#offset = { ...this.#offset, clock: clockValue(after) };
      return;
    }
    const { catalog, publisher, settings } = this.#context;
    let codec = catalog.known(item.table, item.signature);
    for (const row of item.rows) {
      const number = this.#row++;
      if (number < this.#offset.skip) {
        if (item.gtid !== this.#offset.partial) throw this.#lost(item.gtid);
        continue;
      }
      codec ??= await catalog.codec(item.table, item.shape, item.signature);
      codec = await this.#publish(item, codec, number, row.before, row.after);
      this.#offset = { ...this.#offset, skip: this.#row, partial: item.gtid };
      if (publisher.records >= settings.maxRows || publisher.bytes >= MAX_TRANSACTION_BYTES) await this.commit();
    }
  }

  /** One row: a record, two for a delete (tombstone), three when its key changed (delete, tombstone, insert). */
  async #publish(
    item: RowsItem,
    codec: TableCodec,
    number: number,
    before: Row | null,
    after: Row | null,
  ): Promise<TableCodec> {
    const source = this.#source(item, number);
    if (item.op === 'd') return this.#put(item, codec, 'd', before, null, source, this.#offset.clock ?? item.at);
    const time = timeOf(after ?? {}, 'updated_at') ?? item.at;
    if (item.op === 'c') return this.#put(item, codec, 'c', null, after, source, time);
    if (before !== null && after !== null && !codec.key(before).equals(codec.key(after))) {
      const next = await this.#put(item, codec, 'd', before, null, source, time);
      return this.#put(item, next, 'c', null, after, source, time);
    }
    return this.#put(item, codec, 'u', before, after, source, time);
  }

  async #put(
    item: RowsItem,
    codec: TableCodec,
    op: Operation,
    before: Row | null,
    after: Row | null,
    source: ChangeSource,
    time: number,
  ): Promise<TableCodec> {
    const { catalog, publisher } = this.#context;
    const encoded = await encodeChange(catalog, item, codec, { before, after, op, source, handledAt: Date.now() });
    publisher.add(codec.topic, encoded.key, encoded.value, time);
    if (op === 'd') publisher.add(codec.topic, encoded.key, null, time);
    return encoded.codec;
  }

  #source(item: RowsItem, row: number): ChangeSource {
    const { at, gtid, file, pos } = item;
    return { ...sourceBase(this.#context, item.table), ts_ms: at, snapshot: 'false', gtid, file, pos, row };
  }

  #lost(gtid: string): ConnectorError {
    return new ConnectorError(
      'SLC_CDC_POSITION_LOST',
      `${this.#offset.skip} rows of transaction ${this.#offset.partial} are published, but ${gtid} comes next in the binlog`,
      { hint: AGAIN },
    );
  }
}
