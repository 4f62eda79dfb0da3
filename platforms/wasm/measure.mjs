// Figures of the npm package under node: what a call costs over the C API in WebAssembly (MiniLM, 8 tokens), and memory
// over 10,000 cycles of opening, running and closing.
//
//   node --expose-gc platforms/wasm/measure.mjs MINILM.kgl SMALL.kgl [PACKAGE]
//
// SMALL: any embedding model, opened again and again. PACKAGE: default build-wasm/npm. Every call of Model.embed is
// timed, and in it the export of kinglet.wasm that it calls: what a call costs is the difference.
import {readFileSync} from 'node:fs';
import {join, resolve} from 'node:path';
import {pathToFileURL} from 'node:url';

const [large, small, folder = 'build-wasm/npm'] = process.argv.slice(2);
if (small === undefined || globalThis.gc === undefined) {
  console.error('usage: node --expose-gc measure.mjs MINILM.kgl SMALL.kgl [PACKAGE]');
  process.exit(2);
}
const load = (file) => import(pathToFileURL(resolve(join(folder, file))).href);
const {Model} = await load('kinglet.js');
const {Instance} = await load('instance.js');

const text = 'a small bird sings to us';
const calls = 1500, cycles = 10_000;

async function callCost() {
  const create = Instance.create;
  let inside;  // milliseconds of the last call of the export
  Instance.create = async () => {
    const instance = await create.call(Instance);
    const {embed} = instance.exports;
    instance.exports = {...instance.exports, embed(...given) {
      const begin = performance.now();
      const status = embed(...given);
      inside = performance.now() - begin;
      return status;
    }};
    return instance;
  };
  const model = await Model.open(large);
  Instance.create = create;
  const over = [], all = [];
  for (let i = 0; i < calls; ++i) {
    const begin = performance.now();
    model.embed(text);
    all.push(performance.now() - begin);
    over.push(all.at(-1) - inside);
  }
  const microseconds = (number) => `${(1000 * number).toFixed(1)} us`;
  over.sort((a, b) => a - b);
  console.log(`call: ${model.tokenize(text).ids.length} tokens: least ${microseconds(Math.min(...all))}, of which ` +
    `over the C API: least ${microseconds(over[0])}, median ${microseconds(over[calls >> 1])}`);
}

async function memory() {
  const bytes = readFileSync(small);
  async function run(count) {
    for (let i = 0; i < count; ++i) {
      const model = await Model.open(bytes);
      model.embed('a b c');
      model.close();
      if (i % 50 === 0) {
        gc();
        await new Promise(setImmediate);
      }
    }
    gc();
    await new Promise(setImmediate);
    return process.memoryUsage.rss() >> 10;
  }
  const before = await run(cycles / 10);
  const after = await run(cycles);
  console.log(`memory: ${cycles} open-run-close cycles, grown by ${after - before} KB of ${before} KB`);
}

await callCost();
await memory();
