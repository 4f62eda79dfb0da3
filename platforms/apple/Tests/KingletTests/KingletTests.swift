// The Swift library on models that platforms/apple/test converts: KINGLET_MODELS is their folder.
import Foundation
import XCTest

@testable import Kinglet

final class KingletTests: XCTestCase {
    private func path(_ name: String) throws -> String {
        guard let folder = ProcessInfo.processInfo.environment["KINGLET_MODELS"] else {
            throw XCTSkip("KINGLET_MODELS is not set: see platforms/apple/test")
        }
        return "\(folder)/\(name).kgl"
    }

    private func session(_ name: String, _ options: Session.Options = Session.Options()) throws -> Session {
        try Session(Model(path: path(name)), options: options)
    }

    private func reason(_ body: () async throws -> Void) async -> KingletError.Reason? {
        do {
            try await body()
            return nil
        } catch {
            return (error as? KingletError)?.reason
        }
    }

    /// What `kinglet --json --offsets utf16` said, recorded beside the model by platforms/apple/test.
    private func recorded(_ name: String) throws -> [String: Any] {
        let data = try Data(contentsOf: URL(fileURLWithPath: path(name) + ".json"))
        return try XCTUnwrap(JSONSerialization.jsonObject(with: data) as? [String: Any])
    }

    private let text = "naïve café 😀, 東京 and more"

    func testEmbeddingsAreTheSameBitsAsTheCommandLine() async throws {
        let expected = try XCTUnwrap(recorded("bert")["embedding"] as? [NSNumber]).map { $0.floatValue }
        for threads in 1...2 {
            var options = Session.Options()
            options.threads = threads
            options.batch = 3
            let session = try self.session("bert", options)
            let vector = try await session.embed(text)
            XCTAssertEqual(vector, expected)
            let many = try await session.embed([.text("a"), .text(text), .text(""), .text(text)])
            XCTAssertEqual(many[1], expected)
            XCTAssertEqual(many[3], expected)
            let tokens = try await session.tokenize(text)
            let ids = try await session.embed([.ids(tokens.ids, typeIds: tokens.typeIds)])
            XCTAssertEqual(ids[0], expected)
            let same = try await session.similarity(text, text)
            XCTAssertEqual(same, 1, accuracy: 1e-6)
        }
    }

    func testOpening() async throws {
        let data = try Data(contentsOf: URL(fileURLWithPath: path("bert")))
        let expected = try await session("bert").embed(text)
        let fromMemory = try await Session(Model(data: data)).embed(text)
        XCTAssertEqual(fromMemory, expected)
        let part = FileManager.default.temporaryDirectory.appendingPathComponent("kinglet-part.bin")
        try (Data(count: 4100) + data + Data(count: 7)).write(to: part)
        defer { try? FileManager.default.removeItem(at: part) }
        let file = try FileHandle(forReadingFrom: part)
        let model = try Model(fileDescriptor: file.fileDescriptor, offset: 4100, length: UInt64(data.count))
        file.closeFile()
        let fromPart = try await Session(model).embed(text)
        XCTAssertEqual(fromPart, expected)

        XCTAssertThrowsError(try Model(path: "no-such-file.kgl")) { XCTAssertEqual(($0 as? KingletError)?.reason, .io) }
        XCTAssertThrowsError(try Model(data: Data())) { XCTAssertEqual(($0 as? KingletError)?.reason, .badModel) }
        var options = Session.Options()
        options.maxLength = 1_000_000
        XCTAssertThrowsError(try Session(model, options: options))
    }

    func testPlacesAreRangesOfTheText() async throws {
        let tokens = try await session("bert").tokenize(text, pair: "more 😀 b").tokens
        XCTAssertNil(tokens[0].range)
        let second = try XCTUnwrap(tokens.last { $0.token == "b" }?.range)
        XCTAssertEqual(String("more 😀 b"[second]), "b")
        for token in tokens where token.typeId == 0 && token.token == "and" {
            XCTAssertEqual(String(text[try XCTUnwrap(token.range)]), "and")
        }
        let entities = try await session("bert-ner").tag(text)
        let expected = try XCTUnwrap(recorded("bert-ner")["entities"] as? [[String: Any]])
        XCTAssertEqual(entities.map { $0.label }, expected.map { $0["label"] as? String })
        XCTAssertEqual(entities.map { $0.text }, expected.map { $0["text"] as? String })
        XCTAssertEqual(
            entities.map { $0.range.lowerBound.utf16Offset(in: text) }, expected.map { $0["begin"] as? Int })
    }

    func testClasses() async throws {
        let session = try self.session("bert-seqcls")
        let expected = try recorded("bert-seqcls")
        let found = try await session.classify(.text(text))
        XCTAssertEqual(found.label, expected["label"] as? String)
        XCTAssertEqual(found.score, (expected["score"] as? NSNumber)?.floatValue)
        let long = String(repeating: "word ", count: 2000)
        let many = try await session.classify([.text("a"), .pair("a", "b"), .text(long)])
        XCTAssertEqual(many.map { $0.truncated }, [false, false, true])
        let wrong = await reason { _ = try await session.embed("a") }
        XCTAssertEqual(wrong, .wrongTask)
    }

    func testCancelling() async throws {
        let session = try self.session("bert")
        let expected = try await session.embed("a")
        for pause in 0..<8 {
            let long = Task { try await session.embed(Array(repeating: .text("a b c d e f g h"), count: 200_000)) }
            let other = Task { try await session.embed("a") }
            try await Task.sleep(nanoseconds: UInt64(pause) * 1_000_000)
            long.cancel()
            do {
                _ = try await long.value
                XCTFail("was not cancelled")
            } catch {
                XCTAssertTrue(error is CancellationError, "\(error)")
            }
            let untouched = try await other.value
            XCTAssertEqual(untouched, expected)
        }
    }

    func testTaggingInWindows() async throws {
        var options = Session.Options()
        options.maxLength = 32
        let session = try self.session("bert-ner", options)
        let long = String(repeating: "Seoul ", count: 200)
        let cut = try await session.tag(long)
        let whole = try await session.tag(long, windows: true, stride: 4)
        let end = try XCTUnwrap(cut.last?.range.upperBound)
        XCTAssertGreaterThan(try XCTUnwrap(whole.last?.range.upperBound), end)
        let wrong = await reason { _ = try await session.tag(long, stride: -1) }
        XCTAssertEqual(wrong, .invalidArgument)
        try session.model.selfTest()
    }

    func testTextsThatAreOdd() async throws {
        let session = try self.session("bert")
        // Half of a character, as it comes from NSString, and U+0000.
        let half = String(decoding: [0x61, 0xD83D, 0x62] as [UInt16], as: UTF16.self)
        let read = try await session.embed(half)
        let replaced = try await session.embed("a\u{FFFD}b")
        XCTAssertEqual(read, replaced)
        let tokens = try await session.tokenize("a\u{0}b").tokens
        XCTAssertNotNil(tokens.last { $0.range != nil })
        let huge = String(repeating: "word ", count: 1_000_000)
        let vector = try await session.embed(huge)
        XCTAssertEqual(vector.count, session.model.embeddingSize)
    }

    func testClosedDescriptor() throws {
        let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path("bert")))
        let descriptor = file.fileDescriptor
        file.closeFile()
        XCTAssertThrowsError(try Model(fileDescriptor: descriptor)) {
            XCTAssertEqual(($0 as? KingletError)?.reason, .io)
        }
    }

    func testBadIds() async throws {
        let session = try self.session("bert")
        for bad in [Input.ids([1 << 30], typeIds: nil), .ids([-1], typeIds: nil), .ids([1, 2], typeIds: [0])] {
            let found = await reason { _ = try await session.embed([bad]) }
            XCTAssertEqual(found, .invalidArgument)
        }
    }
}
