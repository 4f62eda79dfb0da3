// What kinglet refuses.
import CKinglet

/// Why a call failed: a reason that programs can tell apart, and one line for people.
///
/// A call whose task is cancelled throws `CancellationError` instead.
public struct KingletError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The reasons, with the numbers of `kinglet_status`.
    public enum Reason: UInt32, Sendable {
        /// A call that is wrong in itself: a bad option, ids out of range.
        case invalidArgument = 1
        /// The operating system refused: no such file, a closed descriptor.
        case io = 2
        /// The model file is damaged, truncated or not a model.
        case badModel = 3
        /// Valid, but not for this build or processor, or of a newer format.
        case unsupported = 4
        /// There was not enough memory.
        case outOfMemory = 5
        /// More tokens or texts than the session was made for.
        case tooLong = 6
        /// The call was cancelled.
        case cancelled = 7
        /// A number became infinite or not a number inside the model.
        case nonFinite = 8
        /// The model was made for another task.
        case wrongTask = 9
    }

    /// Why the call failed.
    public let reason: Reason
    /// What was wrong, where, and what was expected.
    public let message: String

    /// The message.
    public var description: String { message }

    init(_ reason: Reason, _ message: String) {
        self.reason = reason
        self.message = message
    }

    init(_ status: kinglet_status, _ message: UnsafePointer<CChar>?) {
        self.reason = Reason(rawValue: UInt32(status.rawValue)) ?? .invalidArgument
        let text = message.map { String(cString: $0) } ?? ""
        self.message = text.isEmpty ? String(cString: kinglet_status_name(status)) : text
    }
}
