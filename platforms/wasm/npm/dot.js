// Dot products by relaxed SIMD, where the engine has it: four bytes by four bytes a lane in one instruction (vpdpbusd or
// sdot), twice as fast as what baseline SIMD has. Baseline engines would refuse a kinglet.wasm with such an instruction, so
// this small module is made here, beside it, and kinglet.wasm gets its functions through its table.
//
// i32x4.relaxed_dot_i8x16_i7x16_add_s takes the second operand's bytes from 128 on as the processor likes. Which way is
// found out once (an engine may not change it); both ways are exact, and a third one, which saturates, is not used. So
// results keep their bits.

// What the second operand is, by the numbers of kernels/gemm_s8/wasm_simd128.cc.
const SIGNED = 1, UNSIGNED = 2;
const MAX_ROWS = 6;  // 12 sums, which hide the instruction's latency, 2 registers of weights and 1 of activations

const I32 = 0x7f, V128 = 0x7b;
const [PARAM_A, PARAM_W, PARAM_STRIDE, PARAM_STEPS, PARAM_OUT] = [0, 1, 2, 3, 4];

const unsigned = (value) => value < 0x80 ? [value] : [value & 0x7f | 0x80, ...unsigned(value >>> 7)];
const vector = (items) => [...unsigned(items.length), ...items.flat()];
const section = (id, bytes) => [id, ...unsigned(bytes.length), ...bytes];
const name = (text) => vector([...new TextEncoder().encode(text)]);

const get = (local) => [0x20, ...unsigned(local)];
const set = (local) => [0x21, ...unsigned(local)];
const number = (value) => [0x41, ...unsigned(value)];  // its bit 6 is the sign: 64 to 127 cannot be said
const ADD = 0x6a, SUBTRACT = 0x6b, LOOP = 0x03, BRANCH_IF = 0x0d, END = 0x0b, EMPTY = 0x40;
const memory = (align, offset) => [align, ...unsigned(offset)];
const load = (offset) => [0xfd, 0x00, ...memory(0, offset)];
const loadSplat64 = [0xfd, 0x0a, ...memory(0, 0)];
const store = (offset) => [0xfd, 0x0b, ...memory(0, offset)];
const addLanes = [0xfd, ...unsigned(0xae)];
const relaxedDot = [0xfd, ...unsigned(0x113)];
const zeros = [0xfd, 0x0c, ...new Array(16).fill(0)];
const shuffle = (lanes) => [0xfd, 0x0d, ...lanes.flatMap((lane) => [0, 1, 2, 3].map((byte) => 4 * lane + byte))];

// (a, w, stride, steps, out): for `rows` rows of a, `stride` bytes apart, and four outputs of a tile (16 outputs × 8 k a
// step), out[row][output] = the sum over 8 · steps k, as 32-bit numbers.
function body(rows) {
  const row = (r) => 5 + r;                      // where it is read
  const a = 5 + rows;                            // 8 k of a row, twice
  const w = (pair) => 6 + rows + pair;           // two outputs
  const sum = (r, pair) => 8 + rows + 2 * r + pair;
  const code = [];
  for (let r = 0; r < rows; ++r) {
    code.push(r === 0 ? get(PARAM_A) : [get(row(r - 1)), get(PARAM_STRIDE), ADD], set(row(r)));
    for (const pair of [0, 1]) code.push(zeros, set(sum(r, pair)));
  }
  code.push(LOOP, EMPTY);
  for (const pair of [0, 1]) code.push(get(PARAM_W), load(16 * pair), set(w(pair)));
  for (let r = 0; r < rows; ++r) {
    code.push(get(row(r)), loadSplat64, set(a));
    for (const pair of [0, 1]) code.push(get(w(pair)), get(a), get(sum(r, pair)), relaxedDot, set(sum(r, pair)));
    code.push(get(row(r)), number(8), ADD, set(row(r)));
  }
  code.push(get(PARAM_W), number(128), ADD, set(PARAM_W));
  code.push(get(PARAM_STEPS), number(1), SUBTRACT, 0x22, PARAM_STEPS, BRANCH_IF, 0, END);
  for (let r = 0; r < rows; ++r) {
    code.push(get(PARAM_OUT));
    for (const lanes of [[0, 2, 4, 6], [1, 3, 5, 7]]) code.push(get(sum(r, 0)), get(sum(r, 1)), shuffle(lanes));
    code.push(addLanes, store(16 * r));
  }
  code.push(END);
  const locals = vector([[...unsigned(rows), I32], [...unsigned(2 * rows + 3), V128]]);
  return vector([...locals, ...code.flat(2)]);
}

const counts = Array.from({length: MAX_ROWS}, (_, i) => i + 1);
const bytes = new Uint8Array([
  0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
  ...section(1, vector([[0x60, ...vector(new Array(5).fill(I32)), 0]])),
  ...section(2, vector([[...name('env'), ...name('memory'), 2, 0, 0]])),
  ...section(3, vector(counts.map(() => 0))),
  ...section(7, vector(counts.map((rows) => [...name(String(rows)), 0, rows - 1]))),
  ...section(10, vector(counts.map(body))),
]);

// For 1 to MAX_ROWS rows, on a memory.
async function functions(module, on) {
  const {exports} = await WebAssembly.instantiate(module, {env: {memory: on}});
  return counts.map((rows) => exports[rows]);
}

// What one instruction makes of 8 × 127 and 8 × a byte of `value`.
function probe(dot, on, value) {
  const view = new Uint8Array(on.buffer);
  view.fill(value, 0, 8);
  view.fill(127, 64, 96);
  dot(0, 64, 0, 1, 128);
  return new Int32Array(on.buffer, 128, 1)[0];
}

async function examine() {
  if (!WebAssembly.validate(bytes)) return undefined;
  const module = await WebAssembly.compile(bytes);
  const on = new WebAssembly.Memory({initial: 1});
  const [dot] = await functions(module, on);
  const found = [127, 128, 200, 255].map((value) => probe(dot, on, value));
  for (const [kind, wrap] of [[SIGNED, 256], [UNSIGNED, 0]]) {
    if ([127, 128, 200, 255].every((value, i) => found[i] === 8 * 127 * (value > 127 ? value - wrap : value))) {
      return {kind, module};
    }
  }
  return undefined;
}

let examined;

/** Gives the functions to an instance of kinglet.wasm, where the engine has them; whether it has. */
export async function connect({memory: on, __indirect_function_table: table, use_dot: use}) {
  const known = await (examined ??= examine().catch(() => undefined));  // all works without
  if (known === undefined) return false;
  const first = table.grow(MAX_ROWS);
  (await functions(known.module, on)).forEach((dot, i) => {
    table.set(first + i, dot);
    use(i + 1, first + i, known.kind);
  });
  return true;
}
