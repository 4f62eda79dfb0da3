// What computes: one call at a time, on memory of its own.
import CKinglet
import Dispatch

/// Computes with a ``Model``.
///
/// Calls are `async`: they run one after another on a queue of the session's own, and are cancelled with their task.
/// A session keeps its model and is freed with the last reference to it. All functions throw ``KingletError`` for what
/// the model or its settings refuse, and `CancellationError`.
public final class Session: @unchecked Sendable {
    /// Settings of a session. None changes a result of an int8 model, but for `maxLength` and `prompt`.
    public struct Options: Sendable, Equatable {
        /// Threads that one call uses.
        public var threads = 1
        /// Tokens of a text, special tokens included; longer texts are cut. 0: the model's limit.
        public var maxLength = 0
        /// Texts computed at once: more are faster and take more memory. Calls take any number of texts.
        public var batch = 1
        /// For embeddings: the name of the prompt to put before every text; nil: the model's default.
        public var prompt: String?
        /// The session is made for ``Session/encode(_:)`` too.
        public var rawOutputs = false
        /// The most results that ``Session/answer(question:context:topK:maxAnswerTokens:maxLength:stride:noAnswer:)``
        /// and ``Session/fillMask(_:topK:)`` may be asked for. 0: 16.
        public var topK = 0
        /// For tagging and answers: the most tokens of a text, however many windows it is read in. 0: 65,536.
        public var documentTokens = 0

        /// The default settings.
        public init() {}
    }

    /// The model it computes with.
    public let model: Model
    /// The settings it was made with.
    public let options: Options
    private let handle: OpaquePointer
    private let queue = DispatchQueue(label: "kinglet.session")

    /// Plans and allocates all that inference needs. Throws ``KingletError``.
    public init(_ model: Model, options: Options = Options()) throws {
        guard options.threads >= 1, options.batch >= 1 else {
            throw KingletError(.invalidArgument, "options: threads and batch are at least 1")
        }
        guard options.maxLength >= 0, options.topK >= 0, options.documentTokens >= 0 else {
            throw KingletError(.invalidArgument, "options: maxLength, topK and documentTokens are at least 0")
        }
        self.model = model
        self.options = options
        self.handle = try Session.create(model, options)
    }

    deinit {
        kinglet_session_close(handle)
    }

    /// Bytes that the session took when it was made.
    public var memory: Int { kinglet_session_memory(handle) }

    /// The embedding of a text.
    public func embed(_ text: String) async throws -> [Float] {
        try await embed([.text(text)])[0]
    }

    /// The embeddings of inputs, in their order.
    public func embed(_ inputs: [Input]) async throws -> [[Float]] {
        let size = model.embeddingSize
        return try await call { session in
            var numbers = [Float](repeating: 0, count: max(inputs.count * size, 1))
            try withInputs(inputs) { items, count in
                try check(kinglet_embed(session, items, count, &numbers, nil), session)
            }
            return inputs.indices.map { Array(numbers[$0 * size..<($0 + 1) * size]) }
        }
    }

    /// The cosine of the embeddings of two texts, from -1 to 1.
    public func similarity(_ a: String, _ b: String) async throws -> Float {
        let vectors = try await embed([.text(a), .text(b)])
        return kinglet_cosine(vectors[0], vectors[1], vectors[0].count)
    }

    /// The classes of an input.
    public func classify(_ input: Input) async throws -> Classification {
        try await classify([input])[0]
    }

    /// The classes of inputs, in their order.
    public func classify(_ inputs: [Input]) async throws -> [Classification] {
        let labels = model.labels
        let several = model.scoring == .sigmoid && labels.count > 1
        return try await call { session in
            let size = labels.count
            var scores = [Float](repeating: 0, count: max(inputs.count * size, 1))
            var logits = scores
            var truncated = [UInt8](repeating: 0, count: max(inputs.count, 1))
            try withInputs(inputs) { items, count in
                try check(kinglet_classify(session, items, count, &scores, &logits, &truncated), session)
            }
            return inputs.indices.map { i in
                let own = Array(scores[i * size..<(i + 1) * size])
                var best = 0
                for j in own.indices where own[j] > own[best] {
                    best = j
                }
                return Classification(
                    label: labels[best],
                    score: own[best],
                    scores: own,
                    labels: several ? own.indices.filter { own[$0] > 0.5 }.map { labels[$0] } : [],
                    value: size == 1 ? logits[i] : nil,
                    truncated: truncated[i] != 0
                )
            }
        }
    }

    /// Texts by how well they fit a query, the best first. For cross-encoders: classifiers of pairs with one output.
    public func rerank(query: String, texts: [String]) async throws -> [Ranked] {
        try await call { session in
            var scores = [Float](repeating: 0, count: max(texts.count, 1))
            let inputs: [Input] = [Input.text(query)] + texts.map { Input.text($0) }
            try withInputs(inputs) { items, count in
                try check(kinglet_rerank(session, items, items + 1, count - 1, &scores, nil), session)
            }
            return texts.indices.map { Ranked(index: $0, score: scores[$0]) }.sorted {
                $0.score > $1.score || ($0.score == $1.score && $0.index < $1.index)
            }
        }
    }

    /// The entities of a text, in its order. `windows`: a text that is too long is read in windows instead of being cut;
    /// `stride`: tokens that a window shares with the one before it.
    public func tag(
        _ text: String, aggregation: Aggregation = .simple, windows: Bool = false, stride: Int = 0
    ) async throws -> [Entity] {
        let shared = try number(stride, "stride", from: 0)
        let labels = model.labels
        return try await call { session in
            var options = kinglet_tag_options()
            options.struct_size = MemoryLayout<kinglet_tag_options>.size
            options.aggregation = kinglet_aggregation(rawValue: .init(aggregation.rawValue))
            options.windows = windows ? 1 : 0
            options.stride = shared
            var found: UnsafePointer<kinglet_entity>?
            var size = 0
            try withInputs([.text(text)]) { items, count in
                try check(kinglet_tag(session, items, count, &options, nil), session)
            }
            try check(kinglet_session_entities(session, 0, &found, &size), session)
            return UnsafeBufferPointer(start: found, count: size).map { entity in
                let range = text.range(entity.span)
                let name = entity.label.map { String(cString: $0) } ?? labels[Int(entity.label_index)]
                return Entity(label: name, text: String(text[range]), range: range, score: entity.score)
            }
        }
    }

    /// Answers to a question from a context of any length, the best first. `maxAnswerTokens` 0: 15. The context is read
    /// in windows of `maxLength` tokens (0: 384 or what the session can), of which each shares `stride` (0: 128 or less)
    /// with the one before it. `noAnswer`: "there is none", an empty text, competes.
    public func answer(
        question: String, context: String, topK: Int = 1, maxAnswerTokens: Int = 0, maxLength: Int = 0, stride: Int = 0,
        noAnswer: Bool = false
    ) async throws -> [Answer] {
        var wanted = kinglet_answer_options()
        wanted.struct_size = MemoryLayout<kinglet_answer_options>.size
        wanted.top_k = try number(topK, "topK", from: 1)
        wanted.max_answer_tokens = try number(maxAnswerTokens, "maxAnswerTokens", from: 0)
        wanted.max_length = try number(maxLength, "maxLength", from: 0)
        wanted.stride = try number(stride, "stride", from: 0)
        wanted.no_answer = noAnswer ? 1 : 0
        let settings = wanted
        return try await call { session in
            var options = settings
            var found: UnsafePointer<kinglet_answer_span>?
            var size = 0
            try withInputs([.pair(question, context)]) { items, count in
                try check(kinglet_answer(session, items, count, &options), session)
            }
            try check(kinglet_session_answers(session, 0, &found, &size), session)
            return UnsafeBufferPointer(start: found, count: size).map { answer in
                let range = context.range(answer.span)
                return Answer(text: String(context[range]), range: range, score: answer.score)
            }
        }
    }

    /// For every mask in an input the `topK` tokens that fit best.
    public func fillMask(_ input: Input, topK: Int = 5) async throws -> [[Prediction]] {
        let most = try number(topK, "topK", from: 1)
        let model = self.model
        return try await call { session in
            try withInputs([input]) { items, count in
                try check(kinglet_fill_mask(session, items, count, most, nil), session)
            }
            var masks = 0
            try check(kinglet_session_masks(session, 0, &masks), session)
            return try (0..<masks).map { mask in
                var found: UnsafePointer<kinglet_prediction>?
                var size = 0
                try check(kinglet_session_predictions(session, 0, mask, &found, &size), session)
                return UnsafeBufferPointer(start: found, count: size).map {
                    Prediction(token: model.tokenText($0.id), id: $0.id, score: $0.score)
                }
            }
        }
    }

    /// The tokens of a text, or of a pair. `maxLength` 0 cuts nothing.
    public func tokenize(_ text: String, pair: String? = nil, maxLength: Int = 0) async throws -> Tokens {
        let limit = try number(maxLength, "maxLength", from: 0)
        let model = self.model
        return try await call { session in
            let input: Input = pair.map { .pair(text, $0) } ?? .text(text)
            return try withInputs([input]) { items, _ in
                var capacity = (items[0].text_length + items[0].pair_length) / 2 + 16
                while true {
                    var ids = [Int32](repeating: 0, count: capacity)
                    var typeIds = ids
                    var spans = [kinglet_span](repeating: kinglet_span(), count: capacity)
                    var count = 0
                    var truncated: Int32 = 0
                    let status = kinglet_tokenize(
                        session, items, limit, &ids, &typeIds, &spans, capacity, &count, &truncated)
                    if status == KINGLET_TOO_LONG && count > capacity {
                        capacity = count
                        continue
                    }
                    try check(status, session)
                    // The second text's spans count from its own start, and it begins behind a separator.
                    var own = text
                    var tokens: [Token] = []
                    tokens.reserveCapacity(count)
                    for i in 0..<count {
                        let none = spans[i].begin == UInt32.max
                        if none && i > 0 {
                            own = pair ?? text
                        }
                        tokens.append(Token(
                            id: ids[i], typeId: typeIds[i], token: model.token(ids[i]) ?? "",
                            range: none ? nil : own.range(spans[i])))
                    }
                    return Tokens(tokens: tokens, truncated: truncated != 0)
                }
            }
        }
    }

    /// The raw outputs of an input by their names. The session must be made with ``Options/rawOutputs``.
    public func encode(_ input: Input) async throws -> [String: Output] {
        let names = model.outputs
        return try await call { session in
            try withInputs([input]) { items, count in
                try check(kinglet_encode(session, items, count, nil), session)
            }
            var outputs: [String: Output] = [:]
            for (index, name) in names.enumerated() {
                var view = kinglet_output()
                try check(kinglet_session_output(session, 0, UInt32(index), &view), session)
                let shape = view.rank > 1 ? [Int(view.shape.0), Int(view.shape.1)] : [Int(view.shape.0)]
                let data = UnsafeBufferPointer(start: view.data, count: shape.reduce(1, *))
                outputs[name] = Output(shape: shape, data: Array(data))
            }
            return outputs
        }
    }

    private static func create(_ model: Model, _ options: Options) throws -> OpaquePointer {
        var settings = kinglet_session_options()
        settings.struct_size = MemoryLayout<kinglet_session_options>.size
        settings.threads = UInt32(clamping: options.threads)
        settings.max_length = UInt32(clamping: options.maxLength)
        settings.batch = UInt32(clamping: options.batch)
        settings.top_k = UInt32(clamping: options.topK)
        settings.document_tokens = UInt32(clamping: options.documentTokens)
        settings.raw_outputs = options.rawOutputs ? 1 : 0
        settings.offset_unit = KINGLET_OFFSETS_BYTES
        var created: OpaquePointer?
        func make(_ prompt: UnsafePointer<CChar>?) -> kinglet_status {
            settings.prompt = prompt
            return kinglet_session_create(model.handle, &settings, &created)
        }
        let status: kinglet_status
        if let prompt = options.prompt {
            status = prompt.withCString { make($0) }
        } else {
            status = make(nil)
        }
        guard status == KINGLET_OK, let handle = created else {
            let error = KingletError(status, kinglet_session_message(created))
            kinglet_session_close(created)
            throw error
        }
        return handle
    }

    /// Runs `body` on the session's queue, and cancels it with the task.
    private func call<T: Sendable>(_ body: @escaping (OpaquePointer) throws -> T) async throws -> T {
        let call = Call(handle)
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<T, Error>) in
                queue.async {
                    // The closure holds the session until the call has ended.
                    continuation.resume(with: Result { try call.run { try body(self.handle) } })
                }
            }
        } onCancel: {
            call.cancel()
        }
    }
}

private func number(_ value: Int, _ name: String, from least: Int) throws -> UInt32 {
    guard value >= least, value <= Int(Int32.max) else {
        throw KingletError(.invalidArgument, "\(name): \(value), expected at least \(least)")
    }
    return UInt32(value)
}

private func check(_ status: kinglet_status, _ session: OpaquePointer) throws {
    if status != KINGLET_OK {
        throw KingletError(status, kinglet_session_message(session))
    }
}
