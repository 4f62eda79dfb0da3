// How a call reaches the C API: its inputs in one piece of memory, and its cancellation.
import CKinglet
import Dispatch
import Foundation

extension String {
    /// The range of this string that is [begin, end) in bytes of UTF-8.
    func range(_ span: kinglet_span) -> Range<String.Index> {
        let begin = utf8.index(startIndex, offsetBy: Int(span.begin))
        return begin..<utf8.index(begin, offsetBy: Int(span.end) - Int(span.begin))
    }
}

/// Runs `body` with the C API's view of inputs. The pointers are valid in `body` only.
func withInputs<T>(_ inputs: [Input], _ body: (UnsafePointer<kinglet_input>, Int) throws -> T) throws -> T {
    var bytes: [UInt8] = []
    var numbers: [Int32] = []
    for input in inputs {
        switch input {
        case .text(let text):
            bytes.append(contentsOf: text.utf8)
        case .pair(let first, let second):
            bytes.append(contentsOf: first.utf8)
            bytes.append(contentsOf: second.utf8)
        case .ids(let ids, let typeIds):
            if let typeIds = typeIds, typeIds.count != ids.count {
                throw KingletError(.invalidArgument, "typeIds: \(typeIds.count), expected as many as ids: \(ids.count)")
            }
            numbers.append(contentsOf: ids)
            numbers.append(contentsOf: typeIds ?? [])
        }
    }
    // An element more, so that empty texts have an address too.
    bytes.append(0)
    numbers.append(0)
    return try bytes.withUnsafeBytes { (text: UnsafeRawBufferPointer) -> T in
        try numbers.withUnsafeBufferPointer { (ids: UnsafeBufferPointer<Int32>) -> T in
            var nextText = text.baseAddress!.assumingMemoryBound(to: CChar.self)
            var nextId = ids.baseAddress!
            var items: [kinglet_input] = []
            items.reserveCapacity(inputs.count + 1)
            for input in inputs {
                var item = kinglet_input()
                switch input {
                case .text(let string):
                    item.text = nextText
                    item.text_length = string.utf8.count
                    nextText += string.utf8.count
                case .pair(let first, let second):
                    item.text = nextText
                    item.text_length = first.utf8.count
                    nextText += first.utf8.count
                    item.pair = nextText
                    item.pair_length = second.utf8.count
                    nextText += second.utf8.count
                case .ids(let own, let typeIds):
                    item.ids = nextId
                    item.id_count = own.count
                    nextId += own.count
                    if typeIds != nil {
                        item.type_ids = nextId
                        nextId += own.count
                    }
                }
                items.append(item)
            }
            items.append(kinglet_input())
            return try items.withUnsafeBufferPointer { try body($0.baseAddress!, inputs.count) }
        }
    }
}

/// One call of a session, which may be cancelled from any thread without touching other calls.
final class Call: @unchecked Sendable {
    private let session: OpaquePointer
    private let lock = NSLock()
    private var running = false
    private var cancelled = false

    init(_ session: OpaquePointer) {
        self.session = session
    }

    /// Runs `body` on the session's queue.
    func run<T>(_ body: () throws -> T) throws -> T {
        lock.lock()
        running = !cancelled
        let begins = running
        lock.unlock()
        if !begins {
            throw CancellationError()
        }
        defer {
            lock.lock()
            running = false
            lock.unlock()
        }
        do {
            return try body()
        } catch let error as KingletError where error.reason == .cancelled {
            throw CancellationError()
        }
    }

    /// Ends the call soon.
    func cancel() {
        lock.lock()
        cancelled = true
        let again = running
        if running {
            kinglet_session_cancel(session)
        }
        lock.unlock()
        if again {
            // A call that is only about to begin does not see a cancellation.
            DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(2)) { self.cancel() }
        }
    }
}
