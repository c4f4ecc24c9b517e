/** Calendar months, weeks and days in time zones: their edges, and windows over them. SLUICE_SEED repeats the random instants. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { calendarDay, calendarMonth, calendarWeek, count, stage, type FixedWindows, windowedBy } from '#topology';
import { randomOf } from '../../random.ts';
import { driverOf, HOUR, MINUTE, named, origin, out, rows, SECOND } from './support.ts';

const at = (iso: string): number => Date.parse(iso);
const windowOf = (windows: FixedWindows, timestamp: number): [start: number, end: number] => {
  const bounds: number[] = [];
  windows.windowsOf(timestamp, bounds);
  assert.equal(bounds.length, 2);
  return [bounds[0] ?? NaN, bounds[1] ?? NaN];
};
const month = (timeZone: string): FixedWindows => calendarMonth({ timeZone, grace: '0s' });

describe('calendarMonth', () => {
  test('begins and ends at local midnight, whatever the offset is there', () => {
    for (const [zone, instant, start, end] of [
      ['UTC', '2026-02-28T23:59:59.999Z', '2026-02-01T00:00:00Z', '2026-03-01T00:00:00Z'],
      ['Europe/Berlin', '2026-02-28T23:00:00Z', '2026-02-28T23:00:00Z', '2026-03-31T22:00:00Z'],
      ['Europe/Berlin', '2026-02-28T22:59:59.999Z', '2026-01-31T23:00:00Z', '2026-02-28T23:00:00Z'],
      ['Europe/Berlin', '2026-10-25T01:30:00Z', '2026-09-30T22:00:00Z', '2026-10-31T23:00:00Z'],
      ['America/New_York', '2027-01-01T04:59:59Z', '2026-12-01T05:00:00Z', '2027-01-01T05:00:00Z'],
      ['Asia/Kathmandu', '2028-02-29T18:14:59Z', '2028-01-31T18:15:00Z', '2028-02-29T18:15:00Z'],
      ['Pacific/Apia', '2011-12-30T10:00:00Z', '2011-12-01T10:00:00Z', '2011-12-31T10:00:00Z'],
      ['America/St_Johns', '2009-11-01T03:00:00Z', '2009-11-01T02:30:00Z', '2009-12-01T03:30:00Z'],
    ] as const) {
      assert.deepEqual(windowOf(month(zone), at(instant)), [at(start), at(end)], `${zone} ${instant}`);
    }
  });

  test('an unknown zone is refused', () => {
    assert.throws(
      () => month('Europe/Atlantis'),
      (error: unknown) => (error as { code?: string }).code === 'SLC_TOPOLOGY_WINDOW',
    );
  });

  const sold = origin<number>('sold');
  const monthly = stage('monthly', (s) => {
    const windows = s
      .stream(sold)
      .pipe(windowedBy(calendarMonth({ timeZone: 'Europe/Berlin', grace: '5m' })), count({ store: 'monthly' }));
    named(windows).to(out);
  });

  test('as a window: records at its edges, its grace, and what comes after that', async () => {
    const driver = await driverOf(monthly);
    const end = at('2026-03-31T22:00:00Z');
    const put = (timestamp: number) => driver.pipeInput(sold, { key: 'x', value: 1, timestamp });
    for (const timestamp of [at('2026-02-28T23:00:00Z') - 1, at('2026-02-28T23:00:00Z'), end - 1, end])
      await put(timestamp);
    await put(end + 5 * MINUTE + 10 * SECOND - 1); // ow = e + grace - 1
    await put(end - HOUR);
    await driver.run();
    const march = `x@${at('2026-02-28T23:00:00Z') / SECOND}`;
    assert.deepEqual(await rows(driver), [`x@${at('2026-01-31T23:00:00Z') / SECOND} 1`]);
    await put(end + 5 * MINUTE + 10 * SECOND);
    await put(end - 1);
    await driver.run();
    assert.ok((await rows(driver)).includes(`${march} 3`));
    assert.deepEqual(
      driver.late('monthly').map(({ windowStart, windowEnd, latenessMs }) => [windowStart, windowEnd, latenessMs]),
      [[at('2026-02-28T23:00:00Z'), end, 1]],
    );
    const [final] = (await driver.output(out)).filter(({ key }) => key === march);
    assert.deepEqual([final?.timestamp, final?.originWatermark], [end - 1, end - 1]);
  });
});

describe('calendarWeek', () => {
  const week = (timeZone: string): FixedWindows => calendarWeek({ timeZone, grace: '0s' });

  test('from Monday to Monday at local midnight, an hour shorter or longer when the clocks change', () => {
    for (const [zone, instant, start, end] of [
      ['UTC', '1970-01-01T00:00:00Z', '1969-12-29T00:00:00Z', '1970-01-05T00:00:00Z'],
      ['UTC', '2026-03-01T23:59:59.999Z', '2026-02-23T00:00:00Z', '2026-03-02T00:00:00Z'],
      ['UTC', '2026-03-02T00:00:00Z', '2026-03-02T00:00:00Z', '2026-03-09T00:00:00Z'],
      ['Europe/Berlin', '2026-03-29T21:59:59.999Z', '2026-03-22T23:00:00Z', '2026-03-29T22:00:00Z'],
      ['Europe/Berlin', '2026-03-29T22:00:00Z', '2026-03-29T22:00:00Z', '2026-04-05T22:00:00Z'],
      ['Europe/Berlin', '2026-10-25T22:59:59.999Z', '2026-10-18T22:00:00Z', '2026-10-25T23:00:00Z'],
      ['Europe/Berlin', '2026-10-25T23:00:00Z', '2026-10-25T23:00:00Z', '2026-11-01T23:00:00Z'],
      ['America/New_York', '2027-01-04T04:59:59Z', '2026-12-28T05:00:00Z', '2027-01-04T05:00:00Z'],
      ['Pacific/Apia', '2011-12-29T12:00:00Z', '2011-12-26T10:00:00Z', '2012-01-01T10:00:00Z'],
    ] as const) {
      assert.deepEqual(windowOf(week(zone), at(instant)), [at(start), at(end)], `${zone} ${instant}`);
    }
  });

  test('an unknown zone is refused', () => {
    assert.throws(
      () => week('Europe/Atlantis'),
      (error: unknown) => (error as { code?: string }).code === 'SLC_TOPOLOGY_WINDOW',
    );
  });
});

/** Zones that change their clocks in many ways, none of them back across midnight in these years. */
const ZONES = ['UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kathmandu', 'Australia/Lord_Howe', 'Pacific/Apia', 'America/Sao_Paulo', 'Africa/Casablanca', 'Pacific/Chatham', 'Asia/Tehran']; // prettier-ignore
const BACK_ACROSS_MIDNIGHT = ['America/St_Johns', 'America/Asuncion', 'America/Havana'];
const INSTANTS = 1_500;

test('sizeMs is the longest window that there is', () => {
  const longest = [
    ['America/St_Johns', '1988-10-15T12:00:00Z', 31 * 24 + 2],
    ['America/Juneau', '1867-10-15T12:00:00Z', 32 * 24],
  ] as const;
  for (const [timeZone, instant, hours] of longest) {
    const windows = calendarMonth({ timeZone, grace: '0s' });
    const [start, end] = windowOf(windows, at(instant));
    assert.equal((end - start) / HOUR, hours, timeZone);
    assert.ok(end - start <= windows.sizeMs, timeZone);
  }
});

test('random instants: months, weeks and days follow one another without a gap, and hold one local date', (t) => {
  const { random, seed } = randomOf('calendar');
  t.diagnostic(`SLUICE_SEED=${seed}, ${INSTANTS} instants`);
  const formats = new Map<string, Intl.DateTimeFormat>();
  const local = (instant: number, timeZone: string, unit: string): string => {
    const format = formats.get(timeZone) ?? new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short' });
    formats.set(timeZone, format);
    const date = format.format(instant);
    if (unit !== 'week') return date.slice(0, unit === 'month' ? 7 : 10);
    const noon = new Date(`${date}T12:00:00Z`);
    return new Date(noon.getTime() - ((noon.getUTCDay() + 6) % 7) * 24 * HOUR).toISOString().slice(0, 10);
  };
  const units: readonly (readonly [string, (options: WindowOptions) => FixedWindows])[] = [
    ['month', calendarMonth],
    ['week', calendarWeek],
    ['day', calendarDay],
  ];
  const zones = [...ZONES, ...BACK_ACROSS_MIDNIGHT];
  for (let i = 0; i < INSTANTS; i++) {
    const timeZone = zones[i % zones.length] ?? 'UTC';
    const near = Date.UTC(1990, Math.floor(random() * 600), 1 + Math.floor(random() * 4) * 8);
    const instant = Math.floor(random() < 0.5 ? near + (random() - 0.5) * 30 * HOUR : random() * 2.2e12);
    for (const [unit, make] of units) {
      const windows = make({ timeZone, grace: '0s' });
      const [start, end] = windowOf(windows, instant);
      const where = `SLUICE_SEED=${seed}: ${unit} of ${new Date(instant).toISOString()} in ${timeZone}`;
      assert.ok(start <= instant && instant < end && end - start <= windows.sizeMs, where);
      assert.deepEqual(windowOf(windows, start), [start, end], where);
      assert.deepEqual(windowOf(windows, end - 1), [start, end], where);
      assert.equal(windowOf(windows, end)[0], end, where);
      assert.equal(windowOf(windows, start - 1)[1], start, where);
      if (BACK_ACROSS_MIDNIGHT.includes(timeZone)) continue;
      for (const inside of [start, end - 1])
        assert.equal(local(inside, timeZone, unit), local(instant, timeZone, unit), where);
      for (const outside of [start - 1, end])
        assert.notEqual(local(outside, timeZone, unit), local(instant, timeZone, unit), where);
    }
  }
});

type WindowOptions = Parameters<typeof calendarMonth>[0];
