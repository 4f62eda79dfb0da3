// A model file that is open.
import CKinglet
import Foundation

/// A model, opened and checked in full. Its weights are used where they lie in the file: opening copies nothing.
///
/// ```swift
/// let model = try Model(path: "minilm.kgl")
/// let session = try Session(model)
/// let vector = try await session.embed("A small bird sings.")
/// ```
///
/// A model may be used from any number of threads. It is released with the last reference to it and its sessions.
public final class Model: @unchecked Sendable {
    /// What a model is for.
    public enum Task: UInt32, Sendable {
        /// Raw outputs only.
        case none = 0
        /// ``Session/embed(_:)-(String)`` and ``Session/similarity(_:_:)``.
        case embed = 1
        /// ``Session/classify(_:)-(Input)`` and ``Session/rerank(query:texts:)``.
        case classify = 2
        /// ``Session/tag(_:aggregation:windows:stride:)``.
        case tag = 3
        /// ``Session/answer(question:context:topK:maxAnswerTokens:maxLength:stride:noAnswer:)``.
        case answer = 4
        /// ``Session/fillMask(_:topK:)``.
        case fillMask = 5
    }

    /// How a classifier's raw numbers become scores.
    public enum Scoring: UInt32, Sendable {
        /// One label per text: the scores sum to 1.
        case softmax = 0
        /// Several labels per text, or one output.
        case sigmoid = 1
        /// Regression: the raw number.
        case none = 2
    }

    /// What the model is for.
    public let task: Task
    /// How scores are made.
    public let scoring: Scoring
    /// The most tokens of a text, special tokens included.
    public let maxLength: Int
    /// Token ids are below this.
    public let vocabulary: Int
    /// Numbers of an embedding; 0 for other tasks.
    public let embeddingSize: Int
    /// Labels of a classifier or tagger; one without a name is its number.
    public let labels: [String]
    /// Names of the raw outputs.
    public let outputs: [String]
    /// Names for ``Session/Options/prompt``.
    public let prompts: [String]
    /// "bert", ….
    public let architecture: String
    /// "int8" or "fp32".
    public let precision: String

    let handle: OpaquePointer
    let labelCount: Int
    private let memory: UnsafeMutableRawPointer?

    /// Opens a file. It must not change while the model is open. Throws ``KingletError``.
    public convenience init(path: String) throws {
        var opened: OpaquePointer?
        let status = kinglet_model_open_path(path, &opened)
        try self.init(status, opened, nil)
    }

    /// Opens `length` bytes from `offset` on of an open file; 0: to its end. `offset` must be a multiple of 4. The
    /// descriptor is duplicated: the caller may close its own. Throws ``KingletError``.
    public convenience init(fileDescriptor: Int32, offset: UInt64 = 0, length: UInt64 = 0) throws {
        var opened: OpaquePointer?
        let status = kinglet_model_open_fd(fileDescriptor, offset, length, &opened)
        try self.init(status, opened, nil)
    }

    /// Opens a model in memory, of which a copy is made. Throws ``KingletError``.
    public convenience init(data: Data) throws {
        let copy = UnsafeMutableRawPointer.allocate(byteCount: max(data.count, 1), alignment: 64)
        data.withUnsafeBytes { bytes in
            if let base = bytes.baseAddress {
                copy.copyMemory(from: base, byteCount: bytes.count)
            }
        }
        var opened: OpaquePointer?
        let status = kinglet_model_open_memory(copy, data.count, &opened)
        try self.init(status, opened, copy)
    }

    private init(_ status: kinglet_status, _ opened: OpaquePointer?, _ memory: UnsafeMutableRawPointer?) throws {
        var info = kinglet_model_info()
        info.struct_size = MemoryLayout<kinglet_model_info>.size
        var result = status
        if result == KINGLET_OK {
            result = kinglet_model_get_info(opened, &info)
        }
        guard result == KINGLET_OK, let handle = opened else {
            let error = KingletError(result, kinglet_model_message(opened))
            kinglet_model_close(opened)
            memory?.deallocate()
            throw error
        }
        func names(_ count: UInt32, _ name: (UInt32) -> UnsafePointer<CChar>?) -> [String] {
            (0..<count).map { index in name(index).map { String(cString: $0) } ?? String(index) }
        }
        self.handle = handle
        self.memory = memory
        self.task = Task(rawValue: UInt32(info.task.rawValue)) ?? .none
        self.scoring = Scoring(rawValue: UInt32(info.scoring.rawValue)) ?? .none
        self.maxLength = Int(info.max_length)
        self.vocabulary = Int(info.vocabulary)
        self.embeddingSize = Int(info.embedding_size)
        self.labelCount = Int(info.label_count)
        self.labels = names(info.label_count) { kinglet_model_label(handle, $0) }
        self.outputs = names(info.output_count) { kinglet_model_output_name(handle, $0) }
        self.prompts = names(info.prompt_count) { kinglet_model_prompt_name(handle, $0) }
        self.architecture = String(cString: info.architecture)
        self.precision = String(cString: info.precision)
    }

    deinit {
        kinglet_model_close(handle)
        memory?.deallocate()
    }

    /// The text of a token in the vocabulary; nil for an unknown id.
    public func token(_ id: Int32) -> String? {
        var length = 0
        guard let text = kinglet_model_token(handle, id, &length) else { return nil }
        let bytes = UnsafeRawBufferPointer(start: UnsafeRawPointer(text), count: length)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// What a token says by itself, as in a decoded text; empty for an unknown id.
    public func tokenText(_ id: Int32) -> String {
        let length = kinglet_model_token_text(handle, id, nil, 0)
        var bytes = [CChar](repeating: 0, count: max(length, 1))
        _ = kinglet_model_token_text(handle, id, &bytes, length)
        return bytes.withUnsafeBytes { String(decoding: $0.prefix(length), as: UTF8.self) }
    }

    /// Runs the samples that the file carries and compares their outputs. Throws ``KingletError`` where they differ.
    public func selfTest() throws {
        let status = kinglet_model_self_test(handle)
        if status != KINGLET_OK {
            throw KingletError(status, kinglet_model_message(handle))
        }
    }

    /// The version of the library.
    public static var version: String { String(cString: kinglet_version()) }
    /// The instructions that it computes with on this processor: "neon_dotprod", ….
    public static var isa: String? { kinglet_isa().map { String(cString: $0) } }
}
