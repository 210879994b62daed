// Bundles what the tests run: the pure parts for Node, and the harness with
// Grafana's own packages for the browser.
import { build } from 'esbuild';

await build({ entryPoints: ['src/expression.ts'], outfile: 'test/built/expression.mjs', format: 'esm' });
await build({
  entryPoints: ['test/harness.tsx'], outfile: 'test/built/harness.js', bundle: true, minify: true, format: 'iife', jsx: 'automatic',
  mainFields: ['browser', 'module', 'main'], platform: 'browser', logLevel: 'error',
  define: { 'process.env.NODE_ENV': '"production"', global: 'window' },
  external: ['stream'], // papaparse asks for it on a server only
  loader: { '.svg': 'text', '.woff2': 'empty', '.png': 'empty', '.ttf': 'empty' },
});
