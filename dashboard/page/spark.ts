/** The line of a figure's last minutes. Pure: no DOM. */

/** The line of a figure, newest on the right. Gaps where nothing was known. */
export function sparkPaths(
  values: readonly (number | null)[],
  width: number,
  height: number,
  points: number,
): { readonly line: string; readonly area: string } {
  const most = Math.max(...values.map((value) => value ?? 0), Number.MIN_VALUE);
  const step = width / Math.max(1, points - 1);
  let [line, area, begun] = ['', '', ''];
  const close = (x: number): void => {
    if (begun !== '') area += `${begun}L${round(x)},${height}Z`;
    begun = '';
  };
  let last = 0;
  for (const [i, value] of values.entries()) {
    const x = width - (values.length - 1 - i) * step;
    if (value === null) {
      close(last);
      continue;
    }
    const y = height - 1.5 - (Math.max(0, value) / most) * (height - 3);
    const point = `${round(x)},${round(y)}`;
    line += `${begun === '' ? 'M' : 'L'}${point}`;
    begun = begun === '' ? `M${round(x)},${height}L${point}` : `${begun}L${point}`;
    last = x;
  }
  close(last);
  return { line, area };
}

const round = (value: number): number => Math.round(value * 10) / 10;
