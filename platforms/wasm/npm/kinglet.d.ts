/** kinglet: BERT-family encoders in browsers, Web Workers and node. */

/** What went wrong, as in the C API; INTERNAL: a defect of kinglet. */
export type ErrorCode =
  | 'INVALID_ARGUMENT'
  | 'IO_ERROR'
  | 'BAD_MODEL'
  | 'UNSUPPORTED'
  | 'OUT_OF_MEMORY'
  | 'TOO_LONG'
  | 'NON_FINITE'
  | 'WRONG_TASK'
  | 'INTERNAL';

/** Everything that this package throws, but for the reason of an aborted signal. */
export declare class KingletError extends Error {
  constructor(code: ErrorCode, message: string, options?: ErrorOptions);
  /** Always the same, for those who cannot use instanceof. */
  readonly name: 'KingletError';
  /** What went wrong; the message says where, and what was expected. */
  readonly code: ErrorCode;
}

/** How much of a model is there. */
export interface Progress {
  /** Bytes that have arrived. */
  readonly loaded: number;
  /** Bytes that there will be, where that is known. */
  readonly total: number | undefined;
}

/** Where a model comes from: a URL (in node also a path), bytes, a Blob (a chosen file, say) or a Response. */
export type Source = string | URL | ArrayBuffer | ArrayBufferView | Blob | Response;

/** How a model is opened, and settings of its calls. */
export interface OpenOptions {
  /** Called while the model arrives. What it throws ends the opening. */
  onProgress?: (progress: Progress) => void;
  /** Ends the opening, which then throws the signal's reason. */
  signal?: AbortSignal;
  /**
   * Where there is a Cache Storage (browsers, workers; not node), models fetched by URL are kept in it: under the name
   * given, 'kinglet-models' by default; false: not at all. A kept model is not asked for again, so give a changed model
   * a new URL, or use `reload`. A kept model that turns out to be damaged is fetched anew.
   */
  cache?: string | false;
  /** Fetches the model even when it is in the cache, and keeps the new one. */
  reload?: boolean;
  /** Tokens per text, special tokens included; longer texts are cut. Default and upper limit: `info.maxLength`. */
  maxLength?: number;
  /** For embed: the name of a prompt to put before every text; '' for none. Default: the model's own default. */
  prompt?: string;
  /** Makes encode available, for more memory. */
  rawOutputs?: boolean;
  /** For tag and answer: tokens that a text may have, however many windows it is read in. Default: 65,536. */
  documentTokens?: number;
  /** For answer and fillMask: the most results that a call may ask for. Default: 16. */
  topK?: number;
}

/** What a model says of itself. */
export interface ModelInfo {
  /** What it is for; 'none': raw outputs only. */
  readonly task: 'none' | 'embed' | 'classify' | 'tag' | 'answer' | 'fill-mask';
  /** How classify makes scores of logits. */
  readonly scoring: 'softmax' | 'sigmoid' | 'none';
  /** 'bert', … */
  readonly architecture: string;
  /** Of the weights. */
  readonly precision: 'int8' | 'fp32';
  /** Tokens per text, special tokens included. */
  readonly maxLength: number;
  /** Token ids are below this. */
  readonly vocabularySize: number;
  /** Numbers per embedding; 0 unless the task is embed. */
  readonly embeddingSize: number;
  /** Of a classifier or tagger, in the model's order. */
  readonly labels: readonly string[];
  /** Names for the option prompt. */
  readonly prompts: readonly string[];
  /** Whether texts can be read. */
  readonly hasTokenizer: boolean;
  /** The kernel path in use: 'wasm_simd128'. */
  readonly isa: string;
  /** kinglet's version. */
  readonly version: string;
}

/** Two texts that the model reads together, such as a premise and a hypothesis. */
export interface TextPair {
  /** The first one. */
  text: string;
  /** The second one. */
  pair?: string;
}

/** A text as the model reads it. */
export interface Tokens {
  /** Numbers in the vocabulary, special tokens included. */
  ids: Int32Array;
  /** 1 in the second text of a pair, for models that tell them apart. */
  typeIds: Int32Array;
  /** Texts in the vocabulary. */
  tokens: string[];
  /**
   * Half-open ranges in UTF-16 units of the text, for `slice`; null for the tokens that the model adds. For the second
   * text of a pair they count from its own start.
   */
  offsets: ([begin: number, end: number] | null)[];
  /** Whether maxLength cut something. */
  truncated: boolean;
}

/** The classes of a text. */
export interface Classification {
  /** The label with the highest score. */
  label: string;
  /** That label's score. */
  score: number;
  /** All labels in the model's order. */
  scores: { label: string; score: number }[];
  /** Models with independent labels only: those with a score above 0.5. */
  labels?: string[];
  /** The raw numbers. */
  logits: Float32Array;
  /** Whether the text was cut. */
  truncated: boolean;
}

/** A text in its place of a ranking. */
export interface Ranked {
  /** Its place in the array that was given. */
  index: number;
  /** How well it fits the query. */
  score: number;
}

/** How the labels of the pieces of a word become one: not at all, that of the first, the best average, the highest. */
export type Aggregation = 'simple' | 'first' | 'average' | 'max';

/** How tag reads a text. */
export interface TagOptions {
  /** Default: 'simple'. */
  aggregation?: Aggregation;
  /** Whether a text that is too long is read in windows instead of being cut. */
  windows?: boolean;
  /** Tokens that a window shares with the one before it. Default: 0. */
  stride?: number;
}

/** A named part of a text. */
export interface Entity {
  /** Without 'B-' and 'I-'. */
  label: string;
  /** The part itself, text.slice(begin, end). */
  text: string;
  /** Where it begins, in UTF-16 units. */
  begin: number;
  /** Where it ends. */
  end: number;
  /** How sure the model is, from 0 to 1. */
  score: number;
}

/** How answer reads a context, and what it gives. */
export interface AnswerOptions {
  /** The most answers, at most that of Model.open. Default: 1. */
  topK?: number;
  /** The longest answer. Default: 15. */
  maxAnswerTokens?: number;
  /** Tokens of a window that the context is read in. Default: 384 or `info.maxLength`, whichever is less. */
  maxLength?: number;
  /** Tokens of the context that a window shares with the one before it. Default: 128 or less. */
  stride?: number;
  /** Whether "there is none", an empty text, competes. */
  noAnswer?: boolean;
}

/** An answer found in a context. */
export interface Answer {
  /** The part of the context, context.slice(begin, end); empty where the best answer is that there is none. */
  text: string;
  /** Where it begins, in UTF-16 units. */
  begin: number;
  /** Where it ends. */
  end: number;
  /** How sure the model is, from 0 to 1. */
  score: number;
}

/** A token that may stand in place of a mask. */
export interface Prediction {
  /** What it says, spaces included. */
  token: string;
  /** Its number in the vocabulary. */
  id: number;
  /** Its probability. */
  score: number;
}

/** A raw output of a model. */
export interface RawOutput {
  /** One or two extents. */
  shape: number[];
  /** Row-major. */
  data: Float32Array;
}

/**
 * An open model. Every method computes at once and returns: run models in a Web Worker where the page must not wait, and
 * end the worker to cancel. int8 models give the same bits here as on every other platform. A lone surrogate is read as
 * U+FFFD.
 */
export declare class Model {
  private constructor();
  /**
   * Reads and checks a model. Throws KingletError: IO_ERROR (cannot be read), BAD_MODEL (damaged, or no model),
   * UNSUPPORTED (a newer format, no SIMD), INVALID_ARGUMENT (an option), OUT_OF_MEMORY.
   */
  static open(source: Source, options?: OpenOptions): Promise<Model>;

  /** What the model says of itself. */
  readonly info: ModelInfo;

  /** The embedding of a text, or of each text of an array. WRONG_TASK unless the model's task is embed. */
  embed(text: string): Float32Array;
  embed(texts: readonly string[]): Float32Array[];
  /** The scores of a text or a pair of texts. WRONG_TASK unless the model's task is classify. */
  classify(input: string | TextPair): Classification;
  /** Texts by how well they fit a query, the best first. For cross-encoders: classifiers of pairs with one output. */
  rerank(query: string, texts: readonly string[]): Ranked[];
  /** The entities of a text, in its order. WRONG_TASK unless the model's task is tag. */
  tag(text: string, options?: TagOptions): Entity[];
  /** Answers from a context of any length, the best first. WRONG_TASK unless the model's task is answer. */
  answer(question: string, context: string, options?: AnswerOptions): Answer[];
  /** For every mask in an input the topK (default: 5) tokens that fit best. WRONG_TASK unless the task is fill-mask. */
  fillMask(input: string | TextPair, options?: { topK?: number }): Prediction[][];
  /** Tokens and their places. Without maxLength nothing is cut. */
  tokenize(input: string | TextPair, options?: { maxLength?: number }): Tokens;
  /** The model's raw outputs by their Hugging Face names. Needs the option rawOutputs. */
  encode(input: string | TextPair): Record<string, RawOutput>;
  /** Runs the samples inside the model file; throws BAD_MODEL with the difference. */
  selfTest(): void;

  /** Gives the model's memory back; everything else then throws INVALID_ARGUMENT. May be called again. */
  close(): void;
  /** Whether close was called. */
  readonly closed: boolean;
}

/** The cosine of two embeddings, in [-1, 1]; 0 when either is all zeros. */
export declare function cosine(a: Float32Array, b: Float32Array): number;

/**
 * Compiles kinglet.wasm ahead of the first model. `source` names it where it does not lie beside kinglet.js, as with some
 * bundlers: a URL (in node also a path), its bytes, or a compiled module.
 */
export declare function initialize(source?: string | URL | BufferSource | WebAssembly.Module): Promise<void>;
