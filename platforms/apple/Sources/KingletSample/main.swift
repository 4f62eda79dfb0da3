// kinglet-sample MODEL.kgl QUERY TEXT…: texts in order of how close their meaning is to the query.
import Kinglet

let arguments = CommandLine.arguments
guard arguments.count >= 4 else {
    fatalError("usage: kinglet-sample MODEL.kgl QUERY TEXT…")
}
let texts = Array(arguments[3...])
let session = try Session(Model(path: arguments[1]))
let vectors = try await session.embed(([arguments[2]] + texts).map { .text($0) })

func dot(_ a: [Float], _ b: [Float]) -> Float {
    zip(a, b).reduce(0) { $0 + $1.0 * $1.1 }
}
let ranked = texts.indices.sorted { dot(vectors[0], vectors[$0 + 1]) > dot(vectors[0], vectors[$1 + 1]) }
for index in ranked {
    print(dot(vectors[0], vectors[index + 1]), texts[index])
}
