// kinglet.wasm: compiled once, and an instance of it with memory of its own for every model.

import {connect} from './dot.js';

export class KingletError extends Error {
  constructor(code, message, options) {
    super(message, options);
    this.name = 'KingletError';
    this.code = code;
  }
}

export const OK = 0;
// By kinglet_status.
const CODES = ['OK', 'INVALID_ARGUMENT', 'IO_ERROR', 'BAD_MODEL', 'UNSUPPORTED', 'OUT_OF_MEMORY', 'TOO_LONG', 'CANCELLED',
  'NON_FINITE', 'WRONG_TASK'];
const inNode = typeof process === 'object' && process.versions?.node !== undefined;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8');

/** Whether a source is a file, which only node can read. */
export function isLocal(source) {
  if (!inNode) return false;
  if (source instanceof URL) return source.protocol === 'file:';
  return typeof source === 'string' && (!/^[a-z][a-z0-9+.-]+:/i.test(source) || source.startsWith('file:'));
}

async function readLocal(source) {
  const {readFile} = await import(/* webpackIgnore: true */ 'node:fs/promises');
  return readFile(typeof source === 'string' && source.startsWith('file:') ? new URL(source) : source);
}

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

export class Instance {
  static async create() {
    await initialize();
    const module = await compiled;
    const self = new Instance();
    self.exports = (await WebAssembly.instantiate(module, imports(module, () => self.exports.memory))).exports;
    self.exports._initialize?.();
    self.relaxed = await connect(self.exports);
    return self;
  }

  // Views become stale whenever memory grows, hence one for every use.
  bytes() {
    return new Uint8Array(this.exports.memory.buffer);
  }

  view() {
    return new DataView(this.exports.memory.buffer);
  }

  // What `read` makes of each struct of an array that a call has left: its address at `found`, its length behind.
  list(found, size, read) {
    const [address, length] = [this.view().getUint32(found, true), this.view().getUint32(found + 4, true)];
    return Array.from({length}, (_, i) => read(this.view(), address + i * size));
  }

  allocate(size) {
    const address = this.exports.malloc(size);
    if (address === 0) throw new KingletError('OUT_OF_MEMORY', `no memory for ${size} bytes`);
    return address >>> 0;
  }

  text(address, length) {
    return decoder.decode(this.bytes().subarray(address, address + length));
  }

  // A 0-terminated string of the library's.
  string(address) {
    const start = address >>> 0;
    return start === 0 ? '' : this.text(start, this.bytes().indexOf(0, start) - start);
  }

  check(status) {
    if (status !== OK) throw new KingletError(CODES[status] ?? 'INTERNAL', this.string(this.exports.message()));
  }
}

// Memory of one call, given back at its end.
export class Scratch {
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
