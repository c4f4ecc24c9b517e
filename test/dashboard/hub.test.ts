/** Pages that look: how many, and what becomes of those that do not read. */
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { afterEach, describe, test } from 'node:test';
import { EventHub, type EventStream, HUB_LIMITS } from '../../dashboard/hub.ts';

/** A response whose reader takes what it is told to take. */
class FakeStream extends EventEmitter {
  readonly written: string[] = [];
  writableLength = 0;
  destroyed = false;
  ended = false;
  reads = true;

  write(text: string): boolean {
    this.written.push(text);
    if (!this.reads) this.writableLength += text.length;
    return this.reads;
  }

  end(): void {
    this.ended = true;
  }

  destroy(): void {
    this.destroyed = true;
  }
}

describe('hub of the dashboard', () => {
  const hubs: EventHub[] = [];
  afterEach(() => hubs.splice(0).forEach((hub) => hub.close()));

  function hubOf(limits: Partial<typeof HUB_LIMITS>, onCount?: (clients: number) => void): EventHub {
    const hub = new EventHub({ ...HUB_LIMITS, ...limits }, onCount);
    hubs.push(hub);
    return hub;
  }
  const join = (hub: EventHub, first: Parameters<EventHub['add']>[1] = []): FakeStream => {
    const stream = new FakeStream();
    assert.equal(hub.add(stream as unknown as EventStream, first), true);
    return stream;
  };

  test('each page gets what it needs first, then what all get', () => {
    const hub = hubOf({});
    const stream = join(hub, [{ event: 'topology', data: { app: 'shop\n\ndata: no' } }]);
    hub.send('snapshot', { at: 1 });
    assert.deepEqual(stream.written, [
      'retry: 1000\n\nevent: topology\ndata: {"app":"shop\\n\\ndata: no"}\n\n',
      'event: snapshot\ndata: {"at":1}\n\n',
    ]);
  });

  test('more pages than the limit are refused; when one has gone there is room', () => {
    const hub = hubOf({ clients: 2 });
    const [first] = [join(hub), join(hub)];
    const third = new FakeStream();
    assert.equal(hub.add(third as unknown as EventStream, []), false);
    assert.deepEqual([third.written, hub.isFull], [[], true]);
    first.emit('close');
    assert.deepEqual([hub.size, hub.isFull], [1, false]);
  });

  test('a page that does not read is cut off; the others go on', () => {
    const hub = hubOf({ waitingBytes: 1_000 });
    const [slow, quick] = [join(hub), join(hub)];
    slow.reads = false;
    for (let i = 0; i < 30; i++) hub.send('snapshot', { text: 'x'.repeat(50) });
    assert.deepEqual([slow.destroyed, quick.destroyed, hub.size, hub.dropped], [true, false, 1, 1]);
    assert.ok(slow.written.join('').length < 1_200, 'it is not written to after it was cut off');
    assert.equal(quick.written.length, 31);
  });

  test('a page that has gone without a word is forgotten', () => {
    const hub = hubOf({});
    join(hub).destroyed = true;
    hub.send('snapshot', {});
    assert.equal(hub.size, 0);
  });

  test('heartbeats come while nothing else does', async () => {
    const hub = hubOf({ heartbeatMs: 5 });
    const stream = join(hub);
    const keep = setTimeout(() => undefined, 10_000);
    while (stream.written.length < 3) await new Promise((resolve) => setTimeout(resolve, 5));
    clearTimeout(keep);
    assert.equal(stream.written.at(-1), ': still here\n\n');
  });

  test('somebody looks, nobody looks', () => {
    const counts: number[] = [];
    const hub = hubOf({}, (count) => counts.push(count));
    const [a, b] = [join(hub), join(hub)];
    a.emit('close');
    a.emit('error', new Error('twice'));
    b.emit('error', new Error('gone'));
    assert.deepEqual(counts, [1, 2, 1, 0]);
  });

  test('closed: all streams end, none is taken', () => {
    const hub = hubOf({});
    const stream = join(hub);
    hub.close();
    assert.deepEqual([stream.ended, hub.size], [true, 0]);
    assert.equal(hub.add(new FakeStream() as unknown as EventStream, []), false);
  });
});
