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
  readonly name: 'KingletError';
  readonly code: ErrorCode;
}

/** Bytes that have arrived, and how many there will be where that is known. */
export interface Progress {
  readonly loaded: number;
  readonly total: number | undefined;
}

/** Where a model comes from: a URL (in node also a path), bytes, a Blob (a chosen file, say) or a Response. */
export type Source = string | URL | ArrayBuffer | ArrayBufferView | Blob | Response;

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
}

export interface ModelInfo {
  readonly task: 'none' | 'embed' | 'classify' | 'tag' | 'answer' | 'fill-mask';
  /** How classify makes scores of logits. */
  readonly scoring: 'softmax' | 'sigmoid' | 'none';
  /** 'bert', … */
  readonly architecture: string;
  readonly precision: 'int8' | 'fp32';
  /** Tokens per text, special tokens included. */
  readonly maxLength: number;
  readonly vocabularySize: number;
  /** Numbers per embedding; 0 unless the task is embed. */
  readonly embeddingSize: number;
  readonly labels: readonly string[];
  readonly prompts: readonly string[];
  readonly hasTokenizer: boolean;
  /** The kernel path in use: 'wasm_simd128'. */
  readonly isa: string;
  /** kinglet's version. */
  readonly version: string;
}

export interface TextPair {
  text: string;
  pair?: string;
}

export interface Tokens {
  ids: Int32Array;
  typeIds: Int32Array;
  tokens: string[];
  /**
   * Half-open ranges in UTF-16 units of the text, for `slice`; null for the tokens that the model adds. For the second
   * text of a pair they count from its own start.
   */
  offsets: ([begin: number, end: number] | null)[];
  /** Whether maxLength cut something. */
  truncated: boolean;
}

export interface Classification {
  /** The label with the highest score. */
  label: string;
  score: number;
  /** All labels in the model's order. */
  scores: { label: string; score: number }[];
  /** Models with independent labels only: those with a score above 0.5. */
  labels?: string[];
  /** The raw numbers. */
  logits: Float32Array;
  truncated: boolean;
}

export interface RawOutput {
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

  readonly info: ModelInfo;

  /** The embedding of a text, or of each text of an array. WRONG_TASK unless the model's task is embed. */
  embed(text: string): Float32Array;
  embed(texts: readonly string[]): Float32Array[];
  /** The scores of a text or a pair of texts. WRONG_TASK unless the model's task is classify. */
  classify(input: string | TextPair): Classification;
  /** Tokens and their places. Without maxLength nothing is cut. */
  tokenize(input: string | TextPair, options?: { maxLength?: number }): Tokens;
  /** The model's raw outputs by their Hugging Face names. Needs the option rawOutputs. */
  encode(input: string | TextPair): Record<string, RawOutput>;
  /** Runs the samples inside the model file; throws BAD_MODEL with the difference. */
  selfTest(): void;

  /** Gives the model's memory back; everything else then throws INVALID_ARGUMENT. May be called again. */
  close(): void;
  readonly closed: boolean;
}

/** The cosine of two embeddings, in [-1, 1]; 0 when either is all zeros. */
export declare function cosine(a: Float32Array, b: Float32Array): number;

/**
 * Compiles kinglet.wasm ahead of the first model. `source` names it where it does not lie beside kinglet.js, as with some
 * bundlers: a URL (in node also a path), its bytes, or a compiled module.
 */
export declare function initialize(source?: string | URL | BufferSource | WebAssembly.Module): Promise<void>;
