// swift-tools-version:5.9
// The Swift package, as platforms/apple/package lays it out. No unsafe flags, so that it may be a dependency: what the
// C++ sources need beyond these settings is written into them.
import PackageDescription

let package = Package(
    name: "Kinglet",
    platforms: [.iOS(.v13), .macOS(.v10_15)],
    products: [
        .library(name: "Kinglet", targets: ["Kinglet"]),
        .executable(name: "kinglet-sample", targets: ["KingletSample"]),
    ],
    targets: [
        .target(
            name: "CKinglet",
            cxxSettings: [
                .headerSearchPath("."),
                .headerSearchPath("generated"),
                .headerSearchPath("kernels"),
                .headerSearchPath("runtime"),
                .define("KINGLET_VERSION", to: "\"0.1.0\""),
                .define("NDEBUG", .when(configuration: .release)),
            ]
        ),
        .target(name: "Kinglet", dependencies: ["CKinglet"]),
        .executableTarget(name: "KingletSample", dependencies: ["Kinglet"]),
        .testTarget(name: "KingletTests", dependencies: ["Kinglet"]),
    ],
    cxxLanguageStandard: .cxx20
)
