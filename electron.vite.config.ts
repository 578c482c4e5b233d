import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'electron-vite';
import { join } from 'node:path';

/** Only better-sqlite3 stays a package of its own: its prebuilt binary must be found beside it. */
const EXTERNAL = ['better-sqlite3'];
/** What is bundled keeps its licences, in one file a folder. */
const license = { fileName: 'LICENSES.md' };

/**
 * Bundles the program into out/: `main/index.js` (the desktop app), `main/cli.js` (the command line and `serve`) and
 * `main/engine-host.js`; `preload/index.cjs` (a sandboxed preload can be neither an ES module nor import packages);
 * `renderer/` (the page that both window doors show). resources/ and the addon stay files, found from `import.meta.url`.
 */
export default defineConfig({
  main: {
    publicDir: false,
    build: {
      emptyOutDir: true,
      license,
      target: 'node22',
      sourcemap: true,
      externalizeDeps: false,
      rolldownOptions: {
        input: { index: 'main/desktop/index.ts', cli: 'main/cli/index.ts', 'engine-host': 'main/engine/host.ts' },
        external: EXTERNAL,
        output: { format: 'es', entryFileNames: '[name].js', chunkFileNames: 'chunks/[name]-[hash].js' },
      },
    },
    ssr: { noExternal: true, external: EXTERNAL },
  },
  preload: {
    publicDir: false,
    build: {
      emptyOutDir: true,
      license,
      externalizeDeps: false,
      rolldownOptions: {
        input: { index: 'preload/index.ts' },
        output: { format: 'cjs', entryFileNames: '[name].cjs' },
      },
    },
  },
  renderer: {
    root: 'renderer',
    publicDir: false,
    // Its configuration lies here, not in renderer/.
    plugins: [svelte({ configFile: join(import.meta.dirname, 'svelte.config.js') })],
    build: {
      emptyOutDir: true,
      license,
      minify: true,
      // The page's policy allows no data: fonts, scripts or styles; files are as fast here.
      assetsInlineLimit: 0,
      rolldownOptions: { input: 'renderer/index.html' },
    },
  },
});
