/** A parser of Prometheus' text format that knows nothing of how it was written. */

/** A sample by `name{label="value",...}` with labels sorted. */
export function parseExposition(text: string): Map<string, number> {
  const samples = new Map<string, number>();
  const types = new Map<string, string>();
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const type = /^# TYPE ([a-zA-Z_:][\w:]*) (counter|gauge|histogram)$/.exec(line);
    if (type !== null) {
      if (types.has(type[1] ?? '')) throw new Error(`two types: ${line}`);
      types.set(type[1] ?? '', type[2] ?? '');
      continue;
    }
    if (/^# HELP [a-zA-Z_:][\w:]* \S/.test(line)) continue;
    const [, name = '', labels = '', value = ''] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    if (name === '') throw new Error(`no sample: ${line}`);
    const base = name.replace(/_(bucket|sum|count)$/, '');
    if (!types.has(name) && types.get(base) !== 'histogram') throw new Error(`no type: ${line}`);
    const id = `${name}{${labelsOf(labels).toSorted().join(',')}}`.replace('{}', '');
    if (samples.has(id)) throw new Error(`twice: ${line}`);
    samples.set(id, value === '+Inf' ? Infinity : value === '-Inf' ? -Infinity : Number(value));
    if (value !== 'NaN' && Number.isNaN(samples.get(id))) throw new Error(`no number: ${line}`);
  }
  return samples;
}

function labelsOf(text: string): string[] {
  const labels: string[] = [];
  let rest = text;
  while (rest !== '') {
    const [all = '', name, value = ''] = /^([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)",?/.exec(rest) ?? [];
    if (name === undefined) throw new Error(`no label: ${rest}`);
    labels.push(`${name}=${value.replaceAll(/\\(.)/g, (_, c: string) => (c === 'n' ? '\n' : c))}`);
    rest = rest.slice(all.length);
  }
  return labels;
}
