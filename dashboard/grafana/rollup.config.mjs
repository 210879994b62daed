import { copyFile, cp, mkdir } from 'node:fs/promises';
import esbuild from 'rollup-plugin-esbuild';

// Grafana loads module.js as AMD, and gives these at run time.
const external = ['react', 'react/jsx-runtime', 'react-dom', 'rxjs', /^rxjs\//, /^@grafana\/(data|ui|runtime)$/];

const assets = {
  name: 'assets',
  async writeBundle() {
    await mkdir('dist/img', { recursive: true });
    await Promise.all([
      copyFile('src/plugin.json', 'dist/plugin.json'),
      copyFile('README.md', 'dist/README.md'),
      copyFile('../../LICENSE', 'dist/LICENSE'),
      copyFile('../../CHANGELOG.md', 'dist/CHANGELOG.md'),
      cp('src/img', 'dist/img', { recursive: true }),
    ]);
  },
};

export default {
  input: 'src/module.ts',
  external,
  plugins: [esbuild({ target: 'es2022', minify: true, jsx: 'automatic' }), assets],
  output: { file: 'dist/module.js', format: 'amd', sourcemap: true },
};
