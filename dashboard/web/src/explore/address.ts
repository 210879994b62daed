/** What the page of queries shows, as it stands in its address: ?q=…&q=…&view=table&range=1h */
export type View = 'plot' | 'table';

/** The queries of an address; one empty query where there is none. */
export function queriesOf(query: URLSearchParams): string[] {
  const all = query.getAll('q');
  return all.length > 0 ? all : [''];
}

export const viewOf = (query: URLSearchParams): View => (query.get('view') === 'table' ? 'table' : 'plot');

/** The same address with other queries. */
export function withQueries(query: URLSearchParams, queries: readonly string[]): string {
  const changed = new URLSearchParams(query);
  changed.delete('q');
  for (const q of queries) changed.append('q', q);
  return changed.toString();
}
