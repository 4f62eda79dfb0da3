// kinglet beside transformers.js (onnxruntime-web, int8) in Chromium: all-MiniLM-L6-v2, a text of 128 tokens, 1 thread.
//
//   node tests/bench/rivals/browser.mjs MODELS MODULES [ROUNDS]
//
// MODELS: what minilm.py wrote. MODULES: a node_modules folder with @huggingface/transformers (npm install
// @huggingface/transformers@4.3.1, outside of this repository). Needs the npm package in build-wasm/npm, and what
// tests/wasm/browser.mjs needs.
// Both engines get the text and give a normalised embedding. They take turns in one page, a call each, so that other load
// on the machine meets both; every engine's least and median milliseconds are printed. transformers.js runs each of the
// two int8 models on the build of onnxruntime-web that it ships with ("asyncify") and on the plain one. Embeddings of all
// must agree to a cosine of 0.97 before anything is timed.
import {existsSync, readFileSync, statSync} from 'node:fs';
import {createServer} from 'node:http';
import {extname, join, normalize, resolve} from 'node:path';
import {fileURLToPath} from 'node:url';
import {Browser, whyNoBrowser} from '../../wasm/browser.mjs';

const [models, modules, rounds = '40'] = process.argv.slice(2);
const root = resolve(fileURLToPath(import.meta.url), '../../../..');
const kinglet = join(root, 'build-wasm/npm');
const transformers = join(modules ?? '', '@huggingface/transformers');
if (modules === undefined || !existsSync(transformers) || !existsSync(join(models, 'done'))) {
  console.error('usage: browser.mjs MODELS MODULES [ROUNDS]: a folder by minilm.py, node_modules with transformers.js');
  process.exit(2);
}
const packed = existsSync(join(kinglet, 'kinglet.wasm'));
const missing = packed ? whyNoBrowser() : 'there is no build-wasm/npm (cmake --preset wasm && cmake --build --preset wasm)';
if (missing) {
  console.error(`browser.mjs: ${missing}`);
  process.exit(2);
}

const FOLDERS = {models, modules, kinglet};
const TYPES = {'.js': 'text/javascript', '.mjs': 'text/javascript', '.wasm': 'application/wasm',
  '.json': 'application/json'};
const BUILDS = {asyncify: ['ort.webgpu.min.mjs', 'ort-wasm-simd-threaded.asyncify'],
  plain: ['ort.wasm.min.mjs', 'ort-wasm-simd-threaded']};

const page = (build) => `<!doctype html><script type="importmap">${JSON.stringify({imports: {
  'onnxruntime-web/webgpu': `/modules/onnxruntime-web/dist/${BUILDS[build][0]}`,
  'onnxruntime-common': '/modules/onnxruntime-common/dist/esm/index.js',
  '@huggingface/jinja': '/modules/@huggingface/jinja/dist/index.js',
  '@huggingface/tokenizers': '/modules/@huggingface/tokenizers/dist/tokenizers.mjs',
  'transformers': '/modules/@huggingface/transformers/dist/transformers.web.js',
}})}</script>`;

const server = createServer((request, response) => {
  const path = new URL(request.url, 'http://localhost').pathname;
  const build = path.slice(1);
  if (build in BUILDS) return response.writeHead(200, {'content-type': 'text/html'}).end(page(build));
  const [, folder, rest] = /^\/(\w+)\/(.+)$/.exec(path) ?? [];
  const file = folder in FOLDERS ? join(FOLDERS[folder], normalize(`/${rest}`)) : '';
  if (!existsSync(file) || !statSync(file).isFile()) return response.writeHead(404).end();
  response.writeHead(200, {'content-type': TYPES[extname(file)] ?? 'application/octet-stream'});
  response.end(readFileSync(file));
});
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const base = `http://127.0.0.1:${server.address().port}`;

// Runs in the page.
async function measure(wasm, text, rounds) {
  const {Model, cosine} = await import('/kinglet/kinglet.js');
  const {env, pipeline} = await import('transformers');
  Object.assign(env,
    {allowLocalModels: true, allowRemoteModels: false, localModelPath: '/models/', useBrowserCache: false});
  const dist = `${location.origin}/modules/onnxruntime-web/dist/${wasm}`;
  Object.assign(env.backends.onnx.wasm, {numThreads: 1, wasmPaths: {mjs: `${dist}.mjs`, wasm: `${dist}.wasm`}});
  const model = await Model.open('/models/minilm.kgl', {cache: false});
  const engines = {kinglet: async () => model.embed(text)};
  for (const name of ['exported', 'fused']) {
    const extract = await pipeline('feature-extraction', name, {device: 'wasm', dtype: 'q8'});
    engines[name] = async () => (await extract(text, {pooling: 'mean', normalize: true})).data;
  }
  const times = {};
  const expected = await engines.kinglet();
  for (const [name, run] of Object.entries(engines)) {
    times[name] = [];
    const near = cosine(expected, await run());
    if (!(near > 0.97)) throw new Error(`${name}: cosine to kinglet's embedding ${near}`);
  }
  for (let i = 0; i < rounds; ++i) {
    for (const [name, run] of Object.entries(engines)) {
      const start = performance.now();
      await run();
      times[name].push(performance.now() - start);
    }
  }
  return {tokens: model.tokenize(text).ids.length, times};
}

const version = (name) => JSON.parse(readFileSync(join(modules, name, 'package.json'), 'utf8')).version;
const text = `${'The kinglets sang in the tall trees while rain fell. '.repeat(10)}Birds like rain.`;
const browser = await Browser.start();
try {
  console.log(`transformers.js ${version('@huggingface/transformers')}, onnxruntime-web ${version('onnxruntime-web')}`);
  for (const [build, [, wasm]] of Object.entries(BUILDS)) {
    await browser.open(`${base}/${build}`);
    await browser.until(`document.readyState === 'complete' && location.pathname === '/${build}'`);
    const call = `(${measure})(${JSON.stringify(wasm)}, ${JSON.stringify(text)}, ${Number(rounds)})`;
    const {tokens, times} = await browser.evaluate(call);
    const summary = Object.entries(times).map(([name, all]) =>
      [name, Math.min(...all), all.sort((a, b) => a - b)[all.length >> 1]]);
    const [, least, median] = summary[0];
    for (const [name, own, middle] of summary) {
      console.log(`${build}, ${tokens} tokens, ${name}: least ${own.toFixed(1)} ms (${(own / least).toFixed(2)} of ` +
        `kinglet's), median ${middle.toFixed(1)} ms (${(middle / median).toFixed(2)})`);
    }
  }
} finally {
  await browser.close();
  server.closeAllConnections();
  server.close();
}
