/**
 * The binlog as items in its order: rows of captured tables, ends of transactions with the position after them, DDL. The only file that knows
 * zongji. Whatever it cannot read for certain is an error: nothing is dropped in silence.
 */
import ZongJi, { type AnyBinlogEvent, type BinlogEventName, GtidSet, MariadbGtidPosition } from '@vlasky/zongji';
import { ConnectorError, RetriableError } from '#topology';
import { type Shape, signatureOf } from './catalog.ts';
import type { ConnectionSettings } from './connection.ts';
import { AGAIN, mysqlError } from './failure.ts';
import { readStatement } from './statements.ts';
import type { Flavour } from './server.ts';
import type { Row, SourcePosition } from './types.ts';

/** Rows of one event, in order. */
export interface RowsItem {
  readonly kind: 'rows';
  readonly table: string;
  readonly op: 'c' | 'u' | 'd';
  readonly rows: readonly { readonly before: Row | null; readonly after: Row | null }[];
  readonly shape: Shape;
  readonly signature: string;
  /** The server's clock when the statement ran, ms (whole seconds). */
  readonly at: number;
  readonly gtid: string;
  readonly file: string;
  /** Where the transaction begins. */
  readonly pos: number;
  readonly bytes: number;
}

/** A transaction (or a statement of its own) is complete. */
export interface CommitItem {
  readonly kind: 'commit';
  readonly position: SourcePosition;
}

/** Tables may have changed; `emptied` ones lost rows without events. */
export interface DdlItem {
  readonly kind: 'ddl';
  readonly altered: readonly string[];
  readonly emptied: readonly string[];
}

export type BinlogItem = RowsItem | CommitItem | DdlItem;

export interface BinlogReaderOptions {
  readonly settings: ConnectionSettings;
  readonly flavour: Flavour;
  readonly serverId: number;
  readonly database: string;
  readonly tables: readonly string[];
  readonly from: SourcePosition;
  readonly heartbeatMs: number;
  onItem(item: BinlogItem): void;
  /** Once; nothing comes after it. */
  onError(error: Error): void;
}

const EVENTS: BinlogEventName[] = ['gtid', 'anonymousgtid', 'mariadbgtid', 'query', 'xid', 'xaprepare', 'rotate', 'tablemap', 'writerows', 'updaterows', 'deleterows', 'heartbeat']; // prettier-ignore
const OPERATIONS = { writerows: 'c', updaterows: 'u', deleterows: 'd' } as const;
/** Heartbeats missed before the connection counts as dead; the first answer may take longer. */
const MISSED = 5;
const FIRST_ANSWER_MS = 20_000;

/** The transaction whose events arrive. */
interface Group {
  readonly gtid: string;
  readonly fold: () => void;
  /** A mark at its end is to come. */
  open: boolean;
  xa: boolean;
  rows: number;
}

type EventOf<N extends BinlogEventName> = Extract<AnyBinlogEvent, { getEventName(): N }>;

function is<N extends BinlogEventName>(event: AnyBinlogEvent, name: N): event is EventOf<N> {
  return event.getEventName() === name;
}

export class BinlogReader {
  readonly #options: BinlogReaderOptions;
  readonly #zongji: ZongJi;
  readonly #where: string;
  readonly #executed: GtidSet | MariadbGtidPosition;
  readonly #shapes = new Map<number, { table: string; shape: Shape; signature: string }>();
  #group: Group | undefined;
  #file: string;
  #pos: number;
  #ended = false;
  #paused = false;
  #lastSign = Date.now();
  #answered = false;
  #watchdog: NodeJS.Timeout | undefined;

  constructor(options: BinlogReaderOptions) {
    this.#options = options;
    const { settings, from } = options;
    this.#where = `${settings.host}:${settings.port}`;
    this.#executed = options.flavour === 'mariadb' ? MariadbGtidPosition.parse(from.gtid) : GtidSet.parse(from.gtid);
    this.#file = from.file;
    this.#pos = from.pos;
    this.#zongji = new ZongJi({ ...settings });
  }

  start(): void {
    const zongji = this.#zongji;
    const { serverId, database, tables, from, heartbeatMs } = this.#options;
    zongji.on('error', (error) => this.#fail(error));
    zongji.on('binlog', (event) => this.#receive(event));
    zongji.on('ready', () => {
      // Queued before the dump command: without heartbeats a server that hangs would look like one that is idle.
      const period = heartbeatMs * 1_000_000;
      zongji.connection?.query(
        `SET @master_heartbeat_period = ${period}, @source_heartbeat_period = ${period}`,
        (error) => (error === null ? undefined : this.#fail(error)),
      );
    });
    this.#lastSign = Date.now();
    this.#watchdog = setInterval(() => this.#watch(), heartbeatMs);
    zongji.start({
      serverId,
      gtidSet: from.gtid,
      includeEvents: [...EVENTS],
      includeSchema: { [database]: [...tables] },
    });
  }

  /** Nothing is handed over until `resume`; what the server sends waits in the socket. */
  pause(): void {
    this.#paused = true;
    this.#zongji.connection?.pause();
  }

  resume(): void {
    if (this.#ended) return;
    this.#paused = false;
    this.#lastSign = Date.now();
    this.#zongji.connection?.resume();
  }

  /** Nothing is handed over after this returns. */
  stop(): void {
    this.#ended = true;
    clearInterval(this.#watchdog);
    this.#zongji.removeAllListeners('binlog');
    this.#zongji.on('error', () => undefined);
    this.#zongji.stop();
  }

  #fail(error: unknown): void {
    if (this.#ended) return;
    this.stop();
    this.#options.onError(mysqlError(error, this.#where));
  }

  #watch(): void {
    const limit = this.#answered ? MISSED * this.#options.heartbeatMs : FIRST_ANSWER_MS;
    if (this.#paused || Date.now() - this.#lastSign <= limit) return;
    this.#fail(
      new RetriableError('SLC_CDC_MYSQL_AWAY', `MySQL at ${this.#where} has given no sign of life for ${limit} ms`, {
        where: this.#where,
      }),
    );
  }

  #receive(event: AnyBinlogEvent): void {
    if (this.#ended) return;
    this.#lastSign = Date.now();
    this.#answered = true;
    try {
      this.#handle(event);
    } catch (error) {
      this.#fail(error);
    }
  }

  #handle(event: AnyBinlogEvent): void {
    if (is(event, 'mariadbgtid')) {
      const { gtid, domainId, serverId, seqNo } = event;
      const position = this.#executed as MariadbGtidPosition;
      this.#begin(event, gtid, () => position.add({ domainId, serverId, seqNo }), !event.standalone, event.preparedXa);
    } else if (is(event, 'gtid')) {
      const set = this.#executed as GtidSet;
      this.#begin(event, event.gtid, () => set.add(event.gtid), false, false);
    } else if (is(event, 'anonymousgtid')) {
      throw this.#refusal('SLC_CDC_GTID_OFF', 'a transaction without GTID', "SET GLOBAL gtid_mode = 'ON'");
    } else if (is(event, 'rotate')) {
      this.#file = event.binlogName;
      this.#pos = event.position;
    } else if (is(event, 'tablemap')) this.#tableMap(event);
    else if (is(event, 'writerows') || is(event, 'updaterows') || is(event, 'deleterows')) this.#rows(event);
    else if (is(event, 'xid')) this.#complete(event.nextPosition);
    else if (is(event, 'query')) this.#query(event);
    else if (is(event, 'xaprepare') && this.#group !== undefined) this.#group.xa = true;
  }

  #begin(event: AnyBinlogEvent, gtid: string, fold: () => void, open: boolean, xa: boolean): void {
    // The transaction before is over, also where its last event was none that we know.
    if (this.#group !== undefined) this.#complete(0);
    if (event.nextPosition > 0) this.#pos = event.nextPosition;
    this.#group = { gtid, fold, open, xa, rows: 0 };
  }

  #complete(end: number): void {
    const group = this.#group;
    this.#group = undefined;
    group?.fold();
    if (end > 0) this.#pos = end;
    const position = { gtid: this.#executed.toString(), file: this.#file, pos: this.#pos };
    if (group !== undefined) this.#options.onItem({ kind: 'commit', position });
  }

  #query(event: EventOf<'query'>): void {
    const { database, tables } = this.#options;
    const statement = readStatement(event.query, event.schema, database, tables);
    const group = this.#group;
    switch (statement.kind) {
      case 'begin':
        if (group !== undefined) group.open = true;
        return;
      case 'xa':
        if (group !== undefined) Object.assign(group, { xa: true, open: true });
        return;
      case 'rollback':
        if (group !== undefined && group.rows > 0) {
          throw this.#refusal('SLC_CDC_UNSUPPORTED', 'a rolled back transaction with rows', 'use one engine, InnoDB, within a transaction'); // prettier-ignore
        }
        return this.#complete(event.nextPosition);
      case 'commit':
        return this.#complete(event.nextPosition);
      case 'dml':
        throw this.#refusal('SLC_CDC_STATEMENT', 'a change written as a statement, without its rows', "SET GLOBAL binlog_format = 'ROW' and close the sessions that use another format"); // prettier-ignore
      case 'ddl':
      case 'other': {
        const { altered, emptied } = statement;
        if (altered.length > 0) this.#options.onItem({ kind: 'ddl', altered, emptied });
        if (group === undefined || group.open) return;
        if (statement.opensTransaction) group.open = true;
        else this.#complete(event.nextPosition);
      }
    }
  }

  #tableMap(event: EventOf<'tablemap'>): void {
    if (!event.hasSelfDescribingMetadata()) {
      throw this.#refusal('SLC_CDC_ROW_METADATA', 'rows without the names of their columns', 'SET GLOBAL binlog_row_metadata = FULL'); // prettier-ignore
    }
    const columns = event.tableMap[event.tableId]?.columnSchemas ?? event.buildColumnSchemas();
    const shape = columns.map(({ COLUMN_NAME, COLUMN_TYPE }) => ({ name: COLUMN_NAME, type: COLUMN_TYPE }));
    // Table ids are never used again by a server; the map lives as long as the connection.
    if (this.#shapes.size > 1_000) this.#shapes.clear();
    this.#shapes.set(event.tableId, { table: event.tableName, shape, signature: signatureOf(shape) });
  }

  #rows(event: EventOf<'writerows'> | EventOf<'updaterows'> | EventOf<'deleterows'>): void {
    const known = this.#shapes.get(event.tableId);
    const group = this.#group;
    if (known === undefined || group === undefined) {
      throw new ConnectorError('SLC_CDC_UNDECODABLE', `rows without ${known === undefined ? 'a table' : 'a GTID'} before them`); // prettier-ignore
    }
    if (group.xa) {
      throw this.#refusal('SLC_CDC_UNSUPPORTED', 'rows of an XA transaction, which may still be rolled back', 'do not use XA on captured tables'); // prettier-ignore
    }
    this.#requireFullImage(event);
    group.rows += event.rows.length;
    const name = event.getEventName();
    const rows = is(event, 'updaterows')
      ? event.rows
      : (event as EventOf<'writerows'>).rows.map((row) =>
          name === 'writerows' ? { before: null, after: row } : { before: row, after: null },
        );
    this.#options.onItem({
      kind: 'rows',
      table: known.table,
      op: OPERATIONS[name],
      rows,
      shape: known.shape,
      signature: known.signature,
      at: event.timestamp,
      gtid: group.gtid,
      file: this.#file,
      pos: this.#pos,
      bytes: event.size,
    });
  }

  /** A session may set binlog_row_image for itself; the columns left out would read as null. */
  #requireFullImage(event: EventOf<'writerows'> | EventOf<'updaterows'> | EventOf<'deleterows'>): void {
    for (const name of ['columns_present_bitmap', 'columns_present_bitmap2']) {
      const bitmap: unknown = Reflect.get(event, name);
      if (!Buffer.isBuffer(bitmap)) continue;
      for (let column = 0; column < event.numberOfColumns; column++) {
        if (((bitmap[column >> 3] ?? 0) & (1 << (column & 7))) === 0) {
          throw this.#refusal('SLC_CDC_ROW_IMAGE', 'a row without all its columns', "SET GLOBAL binlog_row_image = 'FULL' and close the sessions that use another image"); // prettier-ignore
        }
      }
    }
  }

  #refusal(code: string, what: string, repair: string): ConnectorError {
    const where = `${this.#where}, ${this.#file}:${this.#pos}`;
    return new ConnectorError(code, `the binlog of ${where} holds ${what}`, {
      where,
      hint: `${repair}; then ${AGAIN}`,
    });
  }
}
