// Register: `node --import register.ts out/main/index.js` runs the app with the stand-in where it asks for electron.
import { registerHooks } from 'node:module';

const standin = new URL('electron.ts', import.meta.url).href;

registerHooks({
  resolve: (specifier, context, next) => (specifier === 'electron' ? { url: standin, shortCircuit: true } : next(specifier, context)),
});
