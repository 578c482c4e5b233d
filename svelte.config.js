// @ts-check
import { vitePreprocess } from '@sveltejs/vite-plugin-svelte';

/** Svelte with runes alone; styles and scripts are files of the page, as its content policy wants. */
export default {
  preprocess: vitePreprocess(),
  compilerOptions: { runes: true, css: /** @type {const} */ ('external') },
};
