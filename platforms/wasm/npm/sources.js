// Where models come from: files, bytes and URLs, straight into the memory of an instance, with progress and a cache.
import {isLocal, KingletError} from './instance.js';

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

export async function readSource(source, instance, options) {
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
