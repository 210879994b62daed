import { seriesName } from './series';

/** RFC 4180: quoted where a comma, a quote or an end of line is in it. */
const cell = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

const time = (seconds: number): string => new Date(seconds * 1000).toISOString();

/** A line for each value: time, series, value. Values are as the server wrote them. */
export function csvOf(series: readonly { metric: Record<string, string>; values: readonly [number, string][] }[]): string {
  const lines = series.flatMap(({ metric, values }) => {
    const name = cell(seriesName(metric));
    return values.map(([at, v]) => `${time(at)},${name},${v}`);
  });
  return ['time,series,value', ...lines, ''].join('\r\n');
}

/** Hands a text to the browser as a file. */
export function download(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'text/csv;charset=utf-8' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}
