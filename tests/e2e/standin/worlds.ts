// Worlds: what the stand-in puts into a page: the two ends of a context bridge, and `electron` as a preload sees it. All of
// it is text: it runs in the browser, the preload in a world of its own that shares nothing but the document.

/** One end of the bridge. Values cross as copies; functions and promises as numbers that the other end calls back by. */
const bridgeEnd = String.raw`
function bridgeEnd(outgoing, incoming, onOther) {
  const functions = new Map();
  const settlers = new Map();
  const answers = [];
  let next = 1;
  const post = (message) => window.dispatchEvent(new CustomEvent(outgoing, { detail: message }));
  const pack = (value) => {
    if (typeof value === 'function') {
      const id = next++;
      functions.set(id, value);
      return { t: 'function', id };
    }
    if (value instanceof Promise) {
      const id = next++;
      value.then(
        (result) => { post({ kind: 'settle', id, ok: true, value: pack(result) }); },
        (error) => { post({ kind: 'settle', id, ok: false, message: String(error && error.message || error) }); },
      );
      return { t: 'promise', id };
    }
    if (Array.isArray(value)) return { t: 'array', items: value.map(pack) };
    if (value !== null && typeof value === 'object' && !(value instanceof Blob)) {
      return { t: 'object', entries: Object.entries(value).map(([key, item]) => [key, pack(item)]) };
    }
    return { t: 'value', value };
  };
  const unpack = (packed) => {
    if (packed.t === 'function') return (...args) => call(packed.id, args);
    if (packed.t === 'promise') return new Promise((resolve, reject) => { settlers.set(packed.id, { resolve, reject }); });
    if (packed.t === 'array') return packed.items.map(unpack);
    if (packed.t === 'object') return Object.freeze(Object.fromEntries(packed.entries.map(([key, item]) => [key, unpack(item)])));
    return packed.value;
  };
  const call = (id, args) => {
    const depth = answers.push(null) - 1;
    post({ kind: 'call', id, args: args.map(pack) });
    const answer = answers[depth];
    answers.length = depth;
    if (answer === null) throw new Error('the other world is gone');
    if (!answer.ok) throw new Error(answer.message);
    return unpack(answer.value);
  };
  window.addEventListener(incoming, ({ detail }) => {
    if (detail.kind === 'call') {
      try {
        post({ kind: 'answer', ok: true, value: pack(functions.get(detail.id)(...detail.args.map(unpack))) });
      } catch (error) {
        post({ kind: 'answer', ok: false, message: String(error && error.message || error) });
      }
    } else if (detail.kind === 'answer') {
      answers[answers.length - 1] = detail;
    } else if (detail.kind === 'settle') {
      const settler = settlers.get(detail.id);
      settlers.delete(detail.id);
      if (settler) detail.ok ? settler.resolve(unpack(detail.value)) : settler.reject(new Error(detail.message));
    } else onOther(detail, unpack);
  });
  return { post, pack };
}
`;

/** The page's own world: what the preload exposes appears there. `name` is the bridge's, which no page could guess. */
export function mainWorld(name: string): string {
  return `(() => {
  if (window !== window.top) return;
  ${bridgeEnd}
  const { post } = bridgeEnd('${name}:preload', '${name}:main', (message, unpack) => {
    if (message.kind !== 'expose' || Object.hasOwn(window, message.key)) return;
    Object.defineProperty(window, message.key, { value: unpack(message.value), enumerable: true });
  });
  post({ kind: 'hello' });
  // A real window would stop this one until every debugger has seen it.
  const opening = globalThis.standinOpen;
  window.open = (address = '') => {
    opening(new URL(address, location.href).href);
    return null;
  };
})();`;
}

/** The preload's world. It runs in sub-frames only where the window says so, as in Electron. */
export function preloadWorld(name: string, preload: string, options: { argv: string[]; subFrames: boolean }): string {
  return `(() => {
  if (window !== window.top && !${options.subFrames}) return;
  ${bridgeEnd}
  const exposed = [];
  const show = () => { for (const message of exposed) bridge.post(message); };
  const bridge = bridgeEnd('${name}:main', '${name}:preload', (message) => { if (message.kind === 'hello') show(); });
  const listeners = new Map();
  const waiting = new Map();
  let next = 1;
  const files = [];
  const tell = (message) => globalThis.standinSend(JSON.stringify(message));
  globalThis.standinFiles = files;
  globalThis.standinDeliver = (channel, args) => {
    for (const listener of [...(listeners.get(channel) ?? [])]) listener({}, ...args);
  };
  globalThis.standinSettle = (id, ok, value) => {
    const { resolve, reject } = waiting.get(id);
    waiting.delete(id);
    if (ok) resolve(value);
    else reject(new Error(value));
  };
  const ipcRenderer = {
    invoke: (channel, ...args) => new Promise((resolve, reject) => {
      // What cannot be cloned cannot be sent.
      structuredClone(args);
      const id = next++;
      waiting.set(id, { resolve, reject });
      tell({ kind: 'invoke', id, channel, args });
    }),
    send: (channel, ...args) => { tell({ kind: 'send', channel, args: structuredClone(args) }); },
    on: (channel, listener) => { listeners.set(channel, [...(listeners.get(channel) ?? []), listener]); return ipcRenderer; },
    off: (channel, listener) => {
      listeners.set(channel, (listeners.get(channel) ?? []).filter((one) => one !== listener));
      return ipcRenderer;
    },
  };
  const electron = {
    ipcRenderer,
    contextBridge: {
      exposeInMainWorld: (key, value) => {
        exposed.push({ kind: 'expose', key, value: bridge.pack(value) });
        show();
      },
    },
    // The path is found by the browser, not here: main gets it in place of this mark.
    webUtils: { getPathForFile: (file) => 'standin-file:' + (files.push(file) - 1) },
  };
  const module = { exports: {} };
  const require = (name) => {
    if (name === 'electron') return electron;
    throw new Error('a sandboxed preload cannot require ' + name);
  };
  const process = { platform: ${JSON.stringify(process.platform)}, argv: ${JSON.stringify(options.argv)} };
  (function (require, module, exports, process) {
${preload}
  })(require, module, module.exports, process);
})();`;
}
