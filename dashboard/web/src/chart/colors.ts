/** Calm colours that can be told apart on light and on dark. */
const palette = [
  '#3b82c4',
  '#e0913d',
  '#3fa17a',
  '#b3649f',
  '#7f74d1',
  '#c9a72e',
  '#4aa6b5',
  '#cf6a5d',
  '#7d9450',
  '#8b8f98',
];

/** What means the same everywhere has the same colour everywhere. */
const fixed: Record<string, string> = {
  'cpu/user': '#3b82c4',
  'cpu/system': '#e0913d',
  'cpu/iowait': '#cf6a5d',
  'cpu/nice': '#3fa17a',
  'cpu/irq': '#b3649f',
  'cpu/softirq': '#7f74d1',
  'cpu/steal': '#8b8f98',
  'memory/0': '#3b82c4',
  'memory/1': '#7fb2dd',
  'memory/2': '#a9b6c4',
  'swap/0': '#b3649f',
  'swap/1': '#8b8f98',
};

export function colorOf(panel: string, line: number, group: string, index: number): string {
  return fixed[`${panel}/${group || line}`] ?? colorAt(index);
}

/** The colour of the nth line of a plot whose lines mean nothing in particular. */
export const colorAt = (index: number): string => palette[index % palette.length] ?? '#888888';
