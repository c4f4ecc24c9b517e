/** What a capture server shows in a browser. */
import type { Received } from './received.ts';

const LAST = 50;

export function page(received: Received, trouble: string | undefined): string {
  const events = received.list();
  const counts = Map.groupBy(events, ({ event }) => event);
  const rows = [...counts].map(([event, of]) => {
    const again = of.reduce((sum, { times }) => sum + times - 1, 0);
    return row([
      `<a href="/_events?event=${encodeURIComponent(event)}&amp;limit=100">${escape(event)}</a>`,
      of.length,
      again,
    ]);
  });
  const last = events
    .slice(-LAST)
    .toReversed()
    .map((each) =>
      row([
        escape(each.timestamp),
        escape(each.event),
        escape(each.distinctId),
        `<code>${escape(JSON.stringify(each.properties))}</code>`,
      ]),
    );
  const notes = [
    trouble,
    received.forgotten > 0 ? `the oldest ${received.forgotten} events are no longer shown` : undefined,
  ].filter((note) => note !== undefined);
  return `<!doctype html><meta charset="utf-8"><title>Sluice: captured events</title>
<style>body{font:14px/1.5 system-ui;margin:2rem;max-width:80rem}table{border-collapse:collapse;margin:1rem 0}
td,th{padding:.2rem .8rem .2rem 0;text-align:left;vertical-align:top;border-bottom:1px solid #ddd}code{font-size:12px;word-break:break-all}</style>
<h1>Captured events</h1>
<p>In PostHog's place: ${events.length} events, ${received.again} sent again and merged. JSON: <a href="/_events?limit=100">/_events</a>.</p>
${notes.map((note) => `<p><strong>${escape(note)}</strong></p>`).join('')}
<table><tr><th>event<th>events<th>sent again</tr>${rows.join('')}</table>
<h2>The last ${LAST}</h2><table><tr><th>timestamp<th>event<th>distinct id<th>properties</tr>${last.join('')}</table>`;
}

function row(cells: readonly (string | number)[]): string {
  return `<tr>${cells.map((cell) => `<td>${cell}`).join('')}</tr>`;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
