// kinglet for JavaScript: BERT-family encoders in browsers, Web Workers and node. The types are in kinglet.d.ts, with the
// documentation of every public name.
//
// Each model has a WebAssembly instance of its own, so that closing it gives all of its memory back. kinglet.wasm is
// compiled once. Nothing in here waits for another thread: after `open`, every call computes and returns.

export class KingletError extends Error {
  constructor(code, message, options) {
    super(message, options);
    this.name = 'KingletError';
    this.code = code;
  }
}

const OK = 0;
// By kinglet_status.
const CODES = ['OK', 'INVALID_ARGUMENT', 'IO_ERROR', 'BAD_MODEL', 'UNSUPPORTED', 'OUT_OF_MEMORY', 'TOO_LONG', 'CANCELLED',
  'NON_FINITE', 'WRONG_TASK'];
const TASKS = ['none', 'embed', 'classify', 'tag', 'answer', 'fill-mask'];
const SCORINGS = ['softmax', 'sigmoid', 'none'];
const NO_OFFSET = 0xffffffff;
const inNode = typeof process === 'object' && process.versions?.node !== undefined;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8');

// ---- kinglet.wasm ----------------------------------------------------------------------------------------------------

let compiled;  // a promise of the module, once it was asked for

/** Compiles kinglet.wasm, which lies beside this file unless `source` names it (a URL, bytes or a module). */
export function initialize(source) {
  if (compiled === undefined || source !== undefined) {
    const attempt = compile(source ?? new URL('./kinglet.wasm', import.meta.url));
    compiled = attempt;
    attempt.catch(() => {
      if (compiled === attempt) compiled = undefined;  // the next call tries again
    });
  }
  return compiled.then(() => undefined);
}

async function compile(source) {
  try {
    if (source instanceof WebAssembly.Module) return source;
    if (source instanceof ArrayBuffer || ArrayBuffer.isView(source)) return await WebAssembly.compile(source);
    if (isLocal(source)) return await WebAssembly.compile(await readLocal(source));
    const response = await fetch(source);
    if (!response.ok) throw new Error(`HTTP status ${response.status}`);
    // compileStreaming insists on a content type that not every server gives.
    return await WebAssembly.compile(await response.arrayBuffer());
  } catch (cause) {
    throw new KingletError('UNSUPPORTED', `kinglet.wasm cannot be compiled: ${cause.message}; ` +
      'expected an engine with WebAssembly SIMD and the file kinglet.wasm beside kinglet.js', {cause});
  }
}

// What the C library asks of its surroundings: environment variables and a clock. There are no files.
function imports(module, instanceMemory) {
  const variables = inNode && process.env.KINGLET_ISA ? [`KINGLET_ISA=${process.env.KINGLET_ISA}\0`] : [];
  const view = () => new DataView(instanceMemory().buffer);
  const known = {
    environ_sizes_get(count, bytes) {
      view().setUint32(count, variables.length, true);
      view().setUint32(bytes, variables.reduce((sum, text) => sum + text.length, 0), true);
      return 0;
    },
    environ_get(pointers, bytes) {
      for (const text of variables) {
        view().setUint32(pointers, bytes, true);
        encoder.encodeInto(text, new Uint8Array(instanceMemory().buffer, bytes));
        pointers += 4;
        bytes += text.length;
      }
      return 0;
    },
    clock_time_get(clock, precisionLow, precisionHigh, out) {
      view().setBigUint64(out, BigInt(Math.round(performance.now() * 1e6)), true);
      return 0;
    },
    proc_exit(code) {
      throw new KingletError('INTERNAL', `kinglet.wasm ended with code ${code}`);
    },
  };
  const NOT_SUPPORTED = {wasi_snapshot_preview1: 58, env: -138};  // ENOTSUP of WASI, −ENOTSUP of system calls
  const all = {};
  for (const {module: from, name, kind} of WebAssembly.Module.imports(module)) {
    if (kind !== 'function') continue;
    all[from] ??= {};
    all[from][name] = known[name] ?? (name === 'emscripten_notify_memory_growth' ? () => {} : () => NOT_SUPPORTED[from]);
  }
  return all;
}

// ---- Where models come from ------------------------------------------------------------------------------------------

function isLocal(source) {
  if (!inNode) return false;
  if (source instanceof URL) return source.protocol === 'file:';
  return typeof source === 'string' && (!/^[a-z][a-z0-9+.-]+:/i.test(source) || source.startsWith('file:'));
}

async function readLocal(source) {
  const {readFile} = await import(/* webpackIgnore: true */ 'node:fs/promises');
  return readFile(typeof source === 'string' && source.startsWith('file:') ? new URL(source) : source);
}

// A place for `size` bytes that grows by doubling when the size was not known.
class Destination {
  constructor(instance, size) {
    this.instance = instance;
    this.capacity = 0;
    this.size = 0;
    this.address = 0;
    this.reserve(size || 1 << 16);
  }

  reserve(capacity) {
    const address = this.instance.allocate(capacity);
    const bytes = this.instance.bytes();
    bytes.copyWithin(address, this.address, this.address + this.size);
    if (this.address !== 0) this.instance.exports.free(this.address);
    this.address = address;
    this.capacity = capacity;
  }

  append(chunk) {
    if (this.size + chunk.length > this.capacity) {
      this.reserve(Math.max(this.size + chunk.length, 2 * this.capacity));
    }
    this.instance.bytes().set(chunk, this.address + this.size);
    this.size += chunk.length;
  }
}

async function readStream(stream, total, instance, options) {
  const destination = new Destination(instance, total);
  const reader = stream.getReader();
  try {
    for (;;) {
      const {done, value} = await reader.read();
      options.signal?.throwIfAborted();
      if (done) break;
      destination.append(value);
      options.onProgress?.({loaded: destination.size, total: total || undefined});
    }
  } catch (error) {
    reader.cancel(error).catch(() => {});
    throw error;
  }
  return destination;
}

// Content-Length counts what is sent, which is not what arrives when it is compressed.
function lengthOf(response) {
  const length = Number(response.headers.get('content-length'));
  return Number.isSafeInteger(length) && length > 0 && !response.headers.get('content-encoding') ? length : 0;
}

async function openCache(options) {
  if (options.cache === false || typeof caches === 'undefined') return undefined;
  try {
    return await caches.open(typeof options.cache === 'string' ? options.cache : 'kinglet-models');
  } catch {
    return undefined;  // an insecure page, or storage that is switched off
  }
}

// Bytes of a URL, from the cache or the network.
async function download(url, instance, options) {
  const cache = await openCache(options);
  const cached = options.reload ? undefined : await cache?.match(url);
  if (cached?.body) {
    return {destination: await readStream(cached.body, lengthOf(cached), instance, options), cache, kept: true};
  }
  let response;
  try {
    response = await fetch(url, {signal: options.signal});
  } catch (cause) {
    if (options.signal?.aborted) throw options.signal.reason;
    throw new KingletError('IO_ERROR', `${url}: cannot be fetched: ${cause.message}`, {cause});
  }
  if (!response.ok || response.body === null) {
    throw new KingletError('IO_ERROR', `${url}: HTTP status ${response.status}; expected a .kgl file`);
  }
  const total = lengthOf(response);
  if (cache === undefined) return {destination: await readStream(response.body, total, instance, options)};
  // A copy goes to the cache while it arrives; the cache keeps it only when all of it came.
  const copy = response.clone();
  const [destination] = await Promise.all([
    readStream(response.body, total, instance, options),
    cache.put(url, copy).catch(() => {}),  // no room, say: the model works without
  ]);
  return {destination, cache};
}

async function readSource(source, instance, options) {
  if (source instanceof ArrayBuffer || ArrayBuffer.isView(source)) {
    const destination = new Destination(instance, source.byteLength);
    destination.append(source instanceof ArrayBuffer ? new Uint8Array(source)
      : new Uint8Array(source.buffer, source.byteOffset, source.byteLength));
    return {destination};
  }
  if (typeof Blob !== 'undefined' && source instanceof Blob) {
    return {destination: await readStream(source.stream(), source.size, instance, options)};
  }
  if (typeof Response !== 'undefined' && source instanceof Response) {
    if (!source.ok || source.body === null) {
      throw new KingletError('IO_ERROR', `HTTP status ${source.status}; expected a .kgl file`);
    }
    return {destination: await readStream(source.body, lengthOf(source), instance, options)};
  }
  if (typeof source !== 'string' && !(source instanceof URL)) {
    throw new KingletError('INVALID_ARGUMENT',
      'source: expected a URL, an ArrayBuffer, a typed array, a Blob or a Response');
  }
  if (isLocal(source)) {
    const {createReadStream} = await import(/* webpackIgnore: true */ 'node:fs');
    const {stat} = await import(/* webpackIgnore: true */ 'node:fs/promises');
    const {Readable} = await import(/* webpackIgnore: true */ 'node:stream');
    const path = typeof source === 'string' && source.startsWith('file:') ? new URL(source) : source;
    try {
      const {size} = await stat(path);
      const stream = Readable.toWeb(createReadStream(path, {highWaterMark: 1 << 20}));
      return {destination: await readStream(stream, size, instance, options)};
    } catch (cause) {
      if (cause instanceof KingletError || options.signal?.aborted || cause.code === undefined) throw cause;
      throw new KingletError('IO_ERROR', `${path}: cannot be read: ${cause.message}`, {cause});
    }
  }
  return download(String(source), instance, options);
}

// ---- One instance of kinglet.wasm ------------------------------------------------------------------------------------

class Instance {
  static async create() {
    await initialize();
    const module = await compiled;
    const self = new Instance();
    self.exports = (await WebAssembly.instantiate(module, imports(module, () => self.exports.memory))).exports;
    self.exports._initialize?.();
    return self;
  }

  // Views become stale whenever memory grows, hence one for every use.
  bytes() {
    return new Uint8Array(this.exports.memory.buffer);
  }

  allocate(size) {
    const address = this.exports.malloc(size);
    if (address === 0) throw new KingletError('OUT_OF_MEMORY', `no memory for ${size} bytes`);
    return address >>> 0;
  }

  // A 0-terminated string of the library's.
  string(address) {
    const bytes = this.bytes();
    return address === 0 ? '' : decoder.decode(bytes.subarray(address >>> 0, bytes.indexOf(0, address >>> 0)));
  }

  check(status) {
    if (status !== OK) throw new KingletError(CODES[status] ?? 'INTERNAL', this.string(this.exports.message()));
  }
}

// Memory of one call, given back at its end.
class Scratch {
  constructor(instance) {
    this.instance = instance;
    this.addresses = [];
  }

  allocate(size) {
    const address = this.instance.allocate(Math.max(size, 1));
    this.addresses.push(address);
    return address;
  }

  // UTF-8 of a string, with a 0 behind it; a lone surrogate is U+FFFD.
  text(text) {
    const address = this.allocate(text.length * 3 + 1);
    const {written} = encoder.encodeInto(text, this.instance.bytes().subarray(address, address + text.length * 3));
    this.instance.bytes()[address + written] = 0;
    return {address, length: written};
  }

  free() {
    for (const address of this.addresses) this.instance.exports.free(address);
  }
}

function toInput(input, pairs) {
  if (typeof input === 'string') return {text: input};
  if (pairs && typeof input?.text === 'string' && (input.pair === undefined || typeof input.pair === 'string')) {
    return input;
  }
  throw new KingletError('INVALID_ARGUMENT', pairs ? 'input: expected a string or {text, pair}'
    : 'text: expected a string');
}

function toCount(value, name, fallback) {
  if (value === undefined) return fallback;
  if (!Number.isInteger(value) || value < 0 || value > 0x7fffffff) {
    throw new KingletError('INVALID_ARGUMENT', `${name}: ${value}; expected a whole number`);
  }
  return value;
}

// ---- Models ----------------------------------------------------------------------------------------------------------

export class Model {
  #instance;

  /** Use Model.open. */
  constructor(instance) {
    if (!(instance instanceof Instance)) throw new TypeError('use Model.open');
    this.#instance = instance;
    const {exports} = instance;
    const names = (name, count) =>
      Array.from({length: count}, (_, i) => instance.string(exports[name](i)));
    const prompts = [];
    for (let address; (address = exports.prompt(prompts.length)) !== 0;) prompts.push(instance.string(address));
    this.info = Object.freeze({
      task: TASKS[exports.task()] ?? 'none',
      scoring: SCORINGS[exports.scoring()] ?? 'none',
      architecture: instance.string(exports.architecture()),
      precision: instance.string(exports.precision()),
      maxLength: exports.max_length() >>> 0,
      vocabularySize: exports.vocabulary() >>> 0,
      embeddingSize: exports.embedding_size() >>> 0,
      labels: Object.freeze(names('label', exports.label_count())),
      prompts: Object.freeze(prompts),
      hasTokenizer: exports.has_tokenizer() !== 0,
      isa: instance.string(exports.isa()),
      version: instance.string(exports.version()),
    });
  }

  static async open(source, options = {}) {
    options.signal?.throwIfAborted();
    const maxLength = toCount(options.maxLength, 'maxLength', 0);
    for (let attempt = options; ; attempt = {...options, reload: true}) {
      const instance = await Instance.create();
      const {destination, cache, kept} = await readSource(source, instance, attempt);
      try {
        instance.check(instance.exports.open(destination.address, destination.size));
        const scratch = new Scratch(instance);
        const prompt = options.prompt === undefined ? 0 : scratch.text(String(options.prompt)).address;
        instance.check(instance.exports.start(maxLength, 1, options.rawOutputs ? 1 : 0, prompt));
        scratch.free();
        return new Model(instance);
      } catch (error) {
        // The cache is to keep nothing damaged. What it had kept is asked of the network again, once.
        if (error.code === 'BAD_MODEL') await cache?.delete(String(source));
        if (error.code !== 'BAD_MODEL' || !kept) throw error;
      }
    }
  }

  embed(input) {
    if (Array.isArray(input)) return input.map((text) => this.embed(text));
    const {text} = toInput(input, false);
    return this.#call((instance, scratch) => {
      const {address, length} = scratch.text(text);
      const size = this.info.embeddingSize;
      const out = scratch.allocate(size * 4);
      instance.check(instance.exports.embed(address, length, out, 0));
      return new Float32Array(instance.exports.memory.buffer.slice(out, out + size * 4));
    });
  }

  classify(input) {
    const {text, pair} = toInput(input, true);
    return this.#call((instance, scratch) => {
      const {exports} = instance;
      const [a, b] = this.#texts(scratch, text, pair);
      const {labels, scoring} = this.info;
      const out = scratch.allocate(labels.length * 8 + 1);
      const cut = out + labels.length * 8;
      instance.bytes()[cut] = 0;
      instance.check(exports.classify(a.address, a.length, b.address, b.length, out, out + labels.length * 4, cut));
      const numbers = new Float32Array(exports.memory.buffer.slice(out, out + labels.length * 8));
      const scores = numbers.subarray(0, labels.length);
      let best = 0;
      for (let i = 1; i < scores.length; ++i) {
        if (scores[i] > scores[best]) best = i;
      }
      const result = {
        label: labels[best],
        score: scores[best],
        scores: labels.map((label, i) => ({label, score: scores[i]})),
        logits: numbers.slice(labels.length),
        truncated: instance.bytes()[cut] !== 0,
      };
      if (scoring === 'sigmoid') result.labels = labels.filter((_, i) => scores[i] > 0.5);
      return result;
    });
  }

  tokenize(input, options = {}) {
    const {text, pair} = toInput(input, true);
    const limit = toCount(options.maxLength, 'maxLength', 0);
    return this.#call((instance, scratch) => {
      const {exports} = instance;
      const [a, b] = this.#texts(scratch, text, pair);
      const result = scratch.allocate(8);  // count, truncated
      let capacity = ((a.length + b.length) >> 1) + 16;
      let count;
      let arrays;
      for (;;) {
        arrays = scratch.allocate(capacity * 16);
        const status = exports.tokenize(a.address, a.length, b.address, b.length, limit, arrays, arrays + capacity * 4,
          arrays + capacity * 8, capacity, result, result + 4);
        count = new DataView(exports.memory.buffer).getUint32(result, true);
        if (status !== OK && count > capacity) {
          capacity = count;  // the second attempt fits
          continue;
        }
        instance.check(status);
        break;
      }
      const {buffer} = exports.memory;
      const ids = new Int32Array(buffer.slice(arrays, arrays + count * 4));
      const typeIds = new Int32Array(buffer.slice(arrays + capacity * 4, arrays + (capacity + count) * 4));
      const spans = new Uint32Array(buffer, arrays + capacity * 8, count * 2);
      const offsets = Array.from({length: count}, (_, i) =>
        spans[2 * i] === NO_OFFSET ? null : [spans[2 * i], spans[2 * i + 1]]);
      const truncated = new DataView(buffer).getInt32(result + 4, true) !== 0;
      const tokens = Array.from(ids, (id) => {
        const token = exports.token(id, result) >>> 0;
        const length = new DataView(exports.memory.buffer).getUint32(result, true);
        return token === 0 ? '' : decoder.decode(instance.bytes().subarray(token, token + length));
      });
      return {ids, typeIds, tokens, offsets, truncated};
    });
  }

  encode(input) {
    const {text, pair} = toInput(input, true);
    return this.#call((instance, scratch) => {
      const {exports} = instance;
      const [a, b] = this.#texts(scratch, text, pair);
      instance.check(exports.encode(a.address, a.length, b.address, b.length, 0));
      const at = scratch.allocate(16);  // name, rank, shape
      const outputs = {};
      for (let i = 0, data; (data = exports.output(i, at, at + 4, at + 8) >>> 0) !== 0; ++i) {
        const [name, rank, ...shape] = new Uint32Array(exports.memory.buffer, at, 4);
        shape.length = rank;
        const size = shape.reduce((product, extent) => product * extent, 1);
        outputs[instance.string(name)] = {
          shape,
          data: new Float32Array(exports.memory.buffer.slice(data, data + size * 4)),
        };
      }
      return outputs;
    });
  }

  selfTest() {
    this.#call((instance) => instance.check(instance.exports.self_test()));
  }

  get closed() {
    return this.#instance === undefined;
  }

  close() {
    this.#instance = undefined;
  }

  #texts(scratch, text, pair) {
    return [scratch.text(text), pair === undefined ? {address: 0, length: 0} : scratch.text(pair)];
  }

  #call(body) {
    const instance = this.#instance;
    if (instance === undefined) throw new KingletError('INVALID_ARGUMENT', 'the model is closed');
    const scratch = new Scratch(instance);
    try {
      return body(instance, scratch);
    } finally {
      scratch.free();
    }
  }
}

/** The cosine of two embeddings, in [-1, 1]; 0 when either is all zeros. */
export function cosine(a, b) {
  if (a.length !== b.length) {
    throw new KingletError('INVALID_ARGUMENT', `embeddings of ${a.length} and ${b.length} numbers; expected equal sizes`);
  }
  let product = 0, squaresOfA = 0, squaresOfB = 0;
  for (let i = 0; i < a.length; ++i) {
    product += a[i] * b[i];
    squaresOfA += a[i] * a[i];
    squaresOfB += b[i] * b[i];
  }
  if (!(squaresOfA > 0) || !(squaresOfB > 0)) return 0;
  return Math.min(1, Math.max(-1, product / (Math.sqrt(squaresOfA) * Math.sqrt(squaresOfB))));
}
