// The npm package as its users meet it: every source of a model, progress, cancelling, errors by name, memory, cost.
import assert from 'node:assert/strict';
import {readFileSync, statSync} from 'node:fs';
import {createServer} from 'node:http';
import {join} from 'node:path';
import {pathToFileURL} from 'node:url';
import {isMainThread, parentPort, Worker, workerData} from 'node:worker_threads';
import {gzipSync} from 'node:zlib';
import {assertFails, convert, kinglet, packageFolder, run, tinyCheckpoint} from './support.mjs';

const {cosine, initialize, KingletError, Model} = kinglet;

if (!isMainThread) {
  const model = await Model.open(workerData.bytes);
  parentPort.postMessage(model.embed(workerData.text));
  process.exit(0);
}

const file = convert(tinyCheckpoint('bert'), 'embed');
const classifier = convert(tinyCheckpoint('bert-seqcls'), 'classify');
const bytes = new Uint8Array(readFileSync(file));
const text = 'a small bird';

// A server that gives the model, whole and in parts that come slowly; and what a browser has and node has not: a cache.
let requests = 0;  // for /cached
const server = createServer((request, response) => {
  requests += request.url === '/cached';
  if (request.url === '/none') return response.writeHead(404).end();
  if (request.url === '/stalls') {
    response.writeHead(200, {'content-length': bytes.length});
    return response.write(bytes.subarray(0, 100));
  }
  if (request.url === '/bad') return response.end('not a model');
  const known = request.url === '/known' || request.url === '/cached';
  response.writeHead(200, known ? {'content-length': bytes.length} : {});
  response.write(bytes.subarray(0, 1000));
  setTimeout(() => response.end(bytes.subarray(1000)), 20);
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const base = `http://127.0.0.1:${server.address().port}`;

class FakeCache {
  entries = new Map();
  async match(url) { return this.entries.has(url) ? new Response(this.entries.get(url)) : undefined; }
  async put(url, response) { this.entries.set(url, await response.arrayBuffer()); }
  async delete(url) { return this.entries.delete(url); }
}

const reference = (await Model.open(bytes)).embed(text);
async function opens(source, options) {
  const model = await Model.open(source, options);
  assert.deepEqual(model.embed(text), reference);
  return model;
}

await run({
  'every kind of source': async () => {
    const unaligned = new Uint8Array(bytes.length + 3);
    unaligned.set(bytes, 3);
    for (const source of [file, pathToFileURL(file), pathToFileURL(file).href, bytes, bytes.buffer, Buffer.from(bytes),
      unaligned.subarray(3), new Blob([bytes]), new Response(bytes), `${base}/known`, `${base}/unknown`,
      new URL(`${base}/unknown`)]) {
      await opens(source);
    }
  },
  'progress': async () => {
    for (const [url, total] of [['/known', bytes.length], ['/unknown', undefined]]) {
      const seen = [];
      await opens(base + url, {onProgress: (progress) => seen.push(progress)});
      assert.ok(seen.length >= 2, 'the model arrives in parts');
      assert.equal(seen.at(-1).loaded, bytes.length);
      assert.ok(seen.every((progress, i) => progress.total === total && (i === 0 || progress.loaded > seen[i - 1].loaded)));
    }
    await assert.rejects(Model.open(`${base}/known`, {onProgress: () => { throw new RangeError('mine'); }}), RangeError);
  },
  'opening is cancelled': async () => {
    const controller = new AbortController();
    const opening = Model.open(`${base}/stalls`, {signal: controller.signal});
    setTimeout(() => controller.abort(new Error('enough')), 50);
    await assert.rejects(opening, /enough/);
    await assert.rejects(Model.open(file, {signal: controller.signal}), /enough/);
  },
  'the cache': async () => {
    const stores = new Map();
    globalThis.caches = {
      async open(name) {
        if (!stores.has(name)) stores.set(name, new FakeCache());
        return stores.get(name);
      },
    };
    try {
      const count = async (expected, options) => {
        const before = requests;
        await opens(`${base}/cached`, options);
        assert.equal(requests - before, expected, 'requests');
      };
      await count(1, {cache: false});
      assert.equal(stores.size, 0);
      await count(1);
      await count(0);
      await count(1, {reload: true});
      await count(1, {cache: 'mine'});
      assert.deepEqual([...stores.keys()], ['kinglet-models', 'mine']);
      // A damaged copy is thrown away, and the model fetched again.
      const damaged = bytes.slice();
      damaged[damaged.length - 1] ^= 1;
      stores.get('mine').entries.set(`${base}/cached`, damaged.buffer);
      await count(1, {cache: 'mine'});
      await count(0, {cache: 'mine'});
      stores.get('mine').put = async () => { throw new Error('no room'); };
      await count(1, {cache: 'mine', reload: true});
      await assertFails('BAD_MODEL', /has 11 bytes/, () => Model.open(`${base}/bad`));
      assert.deepEqual([...stores.get('kinglet-models').entries.keys()], [`${base}/cached`]);
    } finally {
      delete globalThis.caches;
    }
  },
  'what a model says about itself': async () => {
    const {info} = await Model.open(classifier);
    assert.equal(info.task, 'classify');
    assert.equal(info.architecture, 'bert');
    assert.equal(info.precision, 'int8');
    assert.ok(info.labels.length > 1 && info.maxLength > 0 && info.vocabularySize > 0 && info.hasTokenizer);
    assert.match(info.version, /^\d+\.\d+\.\d+$/);
    assert.equal(JSON.parse(readFileSync(join(packageFolder, 'package.json'), 'utf8')).version, info.version);
  },
  'offsets cut the text, with characters outside the first plane and lone surrogates': async () => {
    const model = await Model.open(file);
    const sentence = 'é🦜 bird \ud800 🎵x';
    const {tokens, offsets} = model.tokenize(sentence);
    assert.equal(offsets[0], null);
    assert.equal(offsets.at(-1), null);
    const at = tokens.indexOf('bird');
    assert.ok(at < 0 || sentence.slice(...offsets[at]) === 'bird');
    assert.equal(offsets.filter(Boolean).at(-1)[1], sentence.length);
    assert.deepEqual(model.tokenize('\ud800').ids, model.tokenize('\ufffd').ids);
    const long = model.tokenize('bird '.repeat(1000));
    assert.ok(long.ids.length > 1000 && !long.truncated);
    const cut = model.tokenize('bird '.repeat(1000), {maxLength: 7});
    assert.ok(cut.ids.length === 7 && cut.truncated);
  },
  'errors': async () => {
    await assertFails('IO_ERROR', /cannot be read/, () => Model.open('/nowhere/model.kgl'));
    await assertFails('IO_ERROR', /HTTP status 404/, () => Model.open(`${base}/none`));
    await assertFails('IO_ERROR', /cannot be fetched/, () => Model.open('http://127.0.0.1:1/model.kgl'));
    await assertFails('BAD_MODEL', /./, () => Model.open(new Uint8Array(0)));
    await assertFails('BAD_MODEL', /not a .kgl file/, () => Model.open(new Uint8Array(100)));
    await assertFails('BAD_MODEL', /./, () => Model.open(bytes.subarray(0, bytes.length - 64)));
    await assertFails('INVALID_ARGUMENT', /expected a URL/, () => Model.open(7));
    await assertFails('INVALID_ARGUMENT', /maxLength: 1\.5/, () => Model.open(bytes, {maxLength: 1.5}));
    await assertFails('INVALID_ARGUMENT', /max_length: 100000 is more/, () => Model.open(bytes, {maxLength: 100000}));
    await assertFails('INVALID_ARGUMENT', /prompt 'nobody'/, () => Model.open(bytes, {prompt: 'nobody'}));
    const model = await opens(bytes);
    await assertFails('INVALID_ARGUMENT', /expected a string/, () => model.embed(7));
    await assertFails('INVALID_ARGUMENT', /expected a string/, () => model.classify({text: 'x', pair: 7}));
    await assertFails('WRONG_TASK', /no class scores/, () => model.classify(text));
    await assertFails('INVALID_ARGUMENT', /raw_outputs/, () => model.encode(text));
    await assertFails('INVALID_ARGUMENT', /maxLength: -1/, () => model.tokenize(text, {maxLength: -1}));
    await assertFails('INVALID_ARGUMENT', /equal sizes/, () => cosine(new Float32Array(2), new Float32Array(3)));
    assert.throws(() => new Model({}), TypeError);
    assert.deepEqual(model.embed(text), reference);  // it works on after every error
    model.close();
    model.close();
    assert.ok(model.closed);
    for (const call of ['embed', 'classify', 'tokenize', 'encode', 'selfTest']) {
      await assertFails('INVALID_ARGUMENT', /the model is closed/, () => model[call](text));
    }
    await assertFails('UNSUPPORTED', /cannot be compiled/, () => initialize(new Uint8Array(9)));
    await initialize();  // and the next attempt is not spoiled
    assert.ok(new KingletError('IO_ERROR', 'x') instanceof Error);
  },
  'huge texts': async () => {
    const model = await Model.open(bytes);
    const huge = 'bird '.repeat(2_000_000);
    assert.equal(model.embed(huge).length, reference.length);
    assert.deepEqual(model.embed(text), reference);
  },
  'a worker': async () => {
    const worker = new Worker(new URL(import.meta.url), {workerData: {bytes, text}});
    const answer = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
    assert.deepEqual(answer, reference);
  },
  'memory stays flat': async () => {
    const model = await Model.open(bytes);
    const {arrayBuffers} = process.memoryUsage();
    for (let i = 0; i < 10_000; ++i) model.tokenize(text);
    for (let i = 0; i < 300; ++i) {
      const other = await opens(bytes);
      other.close();
      if (i % 10 === 0) await new Promise(setImmediate);  // lets node collect
    }
    assert.ok(process.memoryUsage().arrayBuffers < arrayBuffers + (1 << 28), 'closed models are collected');
  },
  'size': () => {
    const size = gzipSync(readFileSync(join(packageFolder, 'kinglet.wasm')), {level: 9}).length;
    console.log(`kinglet.wasm: ${statSync(join(packageFolder, 'kinglet.wasm')).size} bytes, ${size} by gzip`);
    assert.ok(size <= 200 * 1024);
  },
});
server.closeAllConnections();
server.close();
