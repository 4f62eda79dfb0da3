// kinglet for JavaScript: BERT-family encoders in browsers, Web Workers and node. The types are in kinglet.d.ts, with
// the documentation of every public name.
//
// Each model has a WebAssembly instance of its own, so that closing it gives all of its memory back. Nothing in here waits
// for another thread: after `open`, every call computes and returns.
import {initialize, Instance, KingletError, OK, Scratch} from './instance.js';
import {readSource} from './sources.js';

export {initialize, KingletError};

const TASKS = ['none', 'embed', 'classify', 'tag', 'answer', 'fill-mask'];
const SCORINGS = ['softmax', 'sigmoid', 'none'];
const AGGREGATIONS = ['simple', 'first', 'average', 'max'];
const NO_OFFSET = 0xffffffff;

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
    const [maxLength, documentTokens, topK] =
      ['maxLength', 'documentTokens', 'topK'].map((name) => toCount(options[name], name, 0));
    for (let attempt = options; ; attempt = {...options, reload: true}) {
      const instance = await Instance.create();
      const {destination, cache, kept} = await readSource(source, instance, attempt);
      try {
        instance.check(instance.exports.open(destination.address, destination.size));
        const scratch = new Scratch(instance);
        const prompt = options.prompt === undefined ? 0 : scratch.text(String(options.prompt)).address;
        instance.check(instance.exports.start(maxLength, options.rawOutputs ? 1 : 0, prompt, documentTokens, topK));
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

  rerank(query, texts) {
    const inputs = [query, ...texts].map((text) => toInput(text, false).text);
    return this.#call((instance, scratch) => {
      const out = scratch.allocate(4);
      const asked = scratch.text(inputs[0]);
      return inputs.slice(1).map((input, index) => {
        const own = new Scratch(instance);
        try {
          const {address, length} = own.text(input);
          instance.check(instance.exports.rerank(asked.address, asked.length, address, length, out));
        } finally {
          own.free();
        }
        return {index, score: instance.view().getFloat32(out, true)};
      }).sort((a, b) => b.score - a.score);
    });
  }

  tag(input, options = {}) {
    const {text} = toInput(input, false);
    const {aggregation = 'simple', windows = false} = options;
    if (!AGGREGATIONS.includes(aggregation)) {
      throw new KingletError('INVALID_ARGUMENT',
        `aggregation: ${aggregation}; expected one of ${AGGREGATIONS.join(', ')}`);
    }
    const stride = toCount(options.stride, 'stride', 0);
    return this.#call((instance, scratch) => {
      const {address, length} = scratch.text(text);
      const found = scratch.allocate(8);
      instance.check(instance.exports.tag(address, length, AGGREGATIONS.indexOf(aggregation), windows ? 1 : 0, stride,
        found, found + 4));
      return instance.list(found, 20, (view, at) => {
        const [begin, end, name] = [at, at + 4, at + 16].map((place) => view.getUint32(place, true));
        const label = name === 0 ? this.info.labels[view.getUint32(at + 12, true)] : instance.string(name);
        return {label, text: text.slice(begin, end), begin, end, score: view.getFloat32(at + 8, true)};
      });
    });
  }

  answer(question, context, options = {}) {
    const inputs = [question, context].map((text) => toInput(text, false).text);
    const [topK, maxAnswerTokens, maxLength, stride] =
      ['topK', 'maxAnswerTokens', 'maxLength', 'stride'].map((name) => toCount(options[name], name, 0));
    return this.#call((instance, scratch) => {
      const [a, b] = inputs.map((text) => scratch.text(text));
      const found = scratch.allocate(8);
      instance.check(instance.exports.answer(a.address, a.length, b.address, b.length, topK, maxAnswerTokens, maxLength,
        stride, options.noAnswer ? 1 : 0, found, found + 4));
      return instance.list(found, 12, (view, at) => {
        const [begin, end] = [view.getUint32(at, true), view.getUint32(at + 4, true)];
        return {text: context.slice(begin, end), begin, end, score: view.getFloat32(at + 8, true)};
      });
    });
  }

  fillMask(input, options = {}) {
    const {text, pair} = toInput(input, true);
    const topK = toCount(options.topK, 'topK', 0);
    return this.#call((instance, scratch) => {
      const {exports} = instance;
      const [a, b] = this.#texts(scratch, text, pair);
      const found = scratch.allocate(8);
      instance.check(exports.fill_mask(a.address, a.length, b.address, b.length, topK, found));
      return Array.from({length: instance.view().getUint32(found, true)}, (_, mask) => {
        instance.check(exports.predictions(mask, found, found + 4));
        return instance.list(found, 8, (view, at) => {
          const id = view.getInt32(at, true);
          return {token: this.#tokenText(instance, id), id, score: view.getFloat32(at + 4, true)};
        });
      });
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
        count = instance.view().getUint32(result, true);
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
        const length = instance.view().getUint32(result, true);
        return token === 0 ? '' : instance.text(token, length);
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

  #tokenText(instance, id) {
    const scratch = new Scratch(instance);
    try {
      const length = instance.exports.token_text(id, 0, 0);
      const address = scratch.allocate(length);
      instance.exports.token_text(id, address, length);
      return instance.text(address, length);
    } finally {
      scratch.free();
    }
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
