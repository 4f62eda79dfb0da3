// What calls take and return. Places in texts are ranges of the text that was given: text[range] is the part.

/// A text, a pair of texts, or token ids.
public enum Input: Sendable, Equatable {
    /// One text of any length.
    case text(String)
    /// Two texts that the model reads together, such as a premise and a hypothesis.
    case pair(String, String)
    /// Token ids, special tokens included, and their type ids (nil: all 0).
    case ids([Int32], typeIds: [Int32]?)
}

/// One token of ``Tokens``.
public struct Token: Sendable, Equatable {
    /// Its number in the vocabulary.
    public let id: Int32
    /// 1 in the second text of a pair, for models that tell them apart.
    public let typeId: Int32
    /// Its text in the vocabulary.
    public let token: String
    /// Its place in its own text; nil for tokens that the template adds.
    public let range: Range<String.Index>?
}

/// A text as the model reads it.
public struct Tokens: Sendable, Equatable {
    /// Special tokens included.
    public let tokens: [Token]
    /// Whether the text was cut.
    public let truncated: Bool
    /// The ids alone, for ``Input/ids(_:typeIds:)``.
    public var ids: [Int32] { tokens.map { $0.id } }
    /// The type ids alone, for ``Input/ids(_:typeIds:)``.
    public var typeIds: [Int32] { tokens.map { $0.typeId } }
}

/// The classes of a text.
public struct Classification: Sendable, Equatable {
    /// The label with the highest score.
    public let label: String
    /// Its score.
    public let score: Float
    /// The scores of ``Model/labels``, in their order.
    public let scores: [Float]
    /// Models with several labels per text: those with a score over 0.5.
    public let labels: [String]
    /// Models with one output: the raw number.
    public let value: Float?
    /// Whether the text was cut.
    public let truncated: Bool
}

/// A named part of a text.
public struct Entity: Sendable, Equatable {
    /// Without "B-" and "I-".
    public let label: String
    /// The part itself.
    public let text: String
    /// Its place.
    public let range: Range<String.Index>
    /// How sure the model is, from 0 to 1.
    public let score: Float
}

/// An answer found in a context.
public struct Answer: Sendable, Equatable {
    /// The part of the context; empty where the best answer is that there is none.
    public let text: String
    /// Its place in the context.
    public let range: Range<String.Index>
    /// How sure the model is, from 0 to 1.
    public let score: Float
}

/// A token that may stand in place of a mask.
public struct Prediction: Sendable, Equatable {
    /// What it says, spaces included.
    public let token: String
    /// Its number in the vocabulary.
    public let id: Int32
    /// Its probability.
    public let score: Float
}

/// A text in its place of a ranking.
public struct Ranked: Sendable, Equatable {
    /// Its place in the list that was given.
    public let index: Int
    /// How well it fits the query.
    public let score: Float
}

/// How ``Session/tag(_:aggregation:windows:stride:)`` makes one label of those of the pieces of a word.
public enum Aggregation: UInt32, Sendable {
    /// Not at all: a word may have pieces of several entities.
    case simple = 0
    /// That of its first piece.
    case first = 1
    /// The best of the average of their scores.
    case average = 2
    /// That of the piece with the highest score.
    case max = 3
}

/// A raw output of a model.
public struct Output: Sendable, Equatable {
    /// One or two extents.
    public let shape: [Int]
    /// The numbers, row by row.
    public let data: [Float]
}
