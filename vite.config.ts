import { defineConfig } from 'vite';

/**
 * Bundles the two Node entry files: the command line (`out/main/cli.js`) and the engine host
 * (`out/main/engine-host.js`). Every dependency is bundled except better-sqlite3, whose prebuilt
 * binary must be found beside its own package; resources/ and the addon stay files, looked up from
 * `import.meta.url`.
 */
export default defineConfig({
  publicDir: false,
  build: {
    ssr: true,
    outDir: 'out/main',
    emptyOutDir: true,
    target: 'node22',
    sourcemap: true,
    minify: false,
    rolldownOptions: {
      input: {
        cli: 'main/cli/index.ts',
        'engine-host': 'main/engine/host.ts',
      },
      external: ['better-sqlite3'],
      output: { format: 'es', entryFileNames: '[name].js', chunkFileNames: 'chunks/[name]-[hash].js' },
    },
  },
  ssr: { noExternal: true, external: ['better-sqlite3'] },
});
