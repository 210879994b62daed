// Loads the built module.js as Grafana does: AMD, with Grafana's packages given
// from outside. What Grafana's server would do is done by the page's test.
import * as data from '@grafana/data';
import * as runtime from '@grafana/runtime';
import * as ui from '@grafana/ui';
import * as React from 'react';
import * as jsx from 'react/jsx-runtime';
import * as ReactDOM from 'react-dom';
import { createRoot } from 'react-dom/client';
import * as rxjs from 'rxjs';

const given: Record<string, unknown> = {
  '@grafana/data': data, '@grafana/runtime': runtime, '@grafana/ui': ui, react: React, 'react/jsx-runtime': jsx, 'react-dom': ReactDOM, rxjs,
};

const page = window as any;

runtime.setBackendSrv({
  fetch: (request: any) => rxjs.from((async () => {
    page.asked.push(request);
    return { ok: true, status: 200, headers: new Headers(), redirected: false, statusText: 'OK', type: 'basic', url: request.url, config: request, data: await page.answer(request) };
  })()),
} as any);
runtime.setTemplateSrv({
  getVariables: () => [], containsTemplate: () => false, updateTimeRange: () => undefined,
  replace: (text: string, _scoped: unknown, format: unknown) =>
    (text ?? '').replace(/\$(host|hosts)\b/g, (_m, name) => {
      const value = name === 'host' ? 'web.01' : ['a.b', 'c'];
      return typeof format === 'function' ? format(value) : String(value);
    }),
} as any);
runtime.setGrafanaLiveSrv({
  getDataStream: (options: any) => {
    page.subscribed.push(options.addr);
    const frame = data.StreamingDataFrame.fromDataFrameJSON(options.frame, options.buffer);
    return new rxjs.Observable((to) => {
      page.push = (packet: any) => { frame.push(packet); to.next({ data: [frame], key: options.key, state: 'Streaming' }); };
      to.next({ data: [frame], key: options.key, state: 'Streaming' });
    });
  },
} as any);

page.define = (names: string[], make: (...parts: unknown[]) => void) => {
  const exported: any = {};
  make(...names.map((n) => {
    if (n === 'exports') return exported;
    if (!(n in given)) throw new Error(`Grafana does not give ${n}`);
    return given[n];
  }));
  page.plugin = exported.plugin;
};
page.define.amd = true;

const settings = { id: 1, uid: 'u1', type: 'thump-metrics-datasource', name: 'thump', meta: { id: 'thump-metrics-datasource' }, jsonData: {}, access: 'proxy', readOnly: false };

/** Shows one editor; the page keeps what it makes of its value. */
page.show = (kind: string, value: any) => {
  const source = new page.plugin.DataSourceClass(settings);
  page.source = source;
  const range = data.getDefaultTimeRange();
  const editors: Record<string, any> = {
    query: page.plugin.components.QueryEditor, config: page.plugin.components.ConfigEditor,
    variable: source.variables.editor, annotation: source.annotations.QueryEditor,
  };
  const Editor = editors[kind];
  page.mounted?.unmount();
  const root = (page.mounted = createRoot(document.getElementById('root')!));
  page.asked = [];
  page.subscribed = [];
  const draw = (next: any) => {
    page.value = next;
    const props = kind === 'config' ? { options: next, onOptionsChange: draw } : { query: next, onChange: draw, onRunQuery: () => { page.runs = (page.runs ?? 0) + 1; }, datasource: source, range };
    root.render(<data.ThemeContext.Provider value={data.createTheme()}><ui.GlobalStyles /><ui.PortalContainer /><Editor {...props} /></data.ThemeContext.Provider>);
  };
  page.runs = 0;
  draw(value);
};

/** Runs queries, and keeps every response. */
page.query = (targets: any[]) => {
  page.responses = [];
  const range = data.getDefaultTimeRange();
  page.running = page.source.query({ targets, range, rangeRaw: { from: 'now-5m', to: 'now' }, scopedVars: {}, requestId: 'Q1', maxDataPoints: 500, intervalMs: 1000 })
    .subscribe((r: any) => page.responses.push(r));
};
page.ready = true;
