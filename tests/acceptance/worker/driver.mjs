// Runs a worker in workerd until stdin ends. Takes JSON: {"entry": path, "port": number, "bindings": {...}, "kv": [names]}.
// Prints the worker's address as a line. Runs with examples/main-worker as its folder, whose node_modules it uses.

import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const require = createRequire(`${process.cwd()}/`);
const { build } = require('esbuild');
const { convertV4MiniflareOptions, Miniflare } = await import(pathToFileURL(require.resolve('miniflare')).href);

const { entry, bindings, kv, service } = JSON.parse(process.argv[2]);
const bundled = await build({ entryPoints: [entry], bundle: true, format: 'esm', write: false, target: 'es2022' });
const miniflare = new Miniflare(convertV4MiniflareOptions({
  modules: [{ type: 'ESModule', path: 'worker.js', contents: bundled.outputFiles[0].text }],
  compatibilityDate: '2026-11-01',
  bindings,
  kvNamespaces: kv,
  // What a service binding leads to, here as over there, answers requests; this one passes them on.
  serviceBindings: service ? { ANALYTICS: (request) => fetch(service + new URL(request.url).pathname, request) } : {},
  unsafeTriggerHandlers: true,
  cf: false,
  telemetry: { enabled: false },
}));
console.log((await miniflare.ready).href);
process.stdin.resume();
process.stdin.on('end', async () => {
  await miniflare.dispose();
  process.exit(0);
});
