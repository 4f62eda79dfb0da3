// The coefficients of every polynomial here, fitted by fit_polynomials.py, and the formulas around them. The scalar
// reference (functions.h) and the vector versions (generic.h) evaluate them by Horner's rule with separate multiply
// and add, so that all paths compute the same bits.
//
// Largest errors of the float32 arithmetic with these coefficients over the floats (tests/kernels/functions_test.cc
// measures and bounds them):
//   fast 2^x                     1.0e-4 relative; exactly 1 at x = 0
//   fast gelu                    1.3e-4 absolute
//   e^x, 2^x, tanh               0.93, 1.15 and 1.24 ulp
//   gelu, gelu_tanh, silu        1.6 ulp or 4e-8, whichever is larger
//   sigmoid                      2 ulp or 5e-8, whichever is larger
#pragma once

namespace kinglet::kernels {

// 255·2^f = 255 + f·(c0 + c1·f + c2·f²) on [-1/2, 1/2]; relative error 1.0e-4.
constexpr float kFastExp2[3] = {176.78714f, 61.7637939f, 14.027277f};

// 2^f = 1 + f·(c0 + … + c5·f⁵) on [-1/2, 1/2]; relative error 2e-09.
constexpr float kExp2[6] = {0.693147182f,   0.240226477f,   0.0555033237f,
                                   0.00961843692f, 0.00133988739f, 0.00015353362f};

// eᶠ = 1 + f + f²·(c0 + … + c4·f⁴) on ±ln2/2; relative error 3.1e-09.
constexpr float kExp[5] = {0.49999994f, 0.166665196f, 0.0416684039f, 0.00836889911f, 0.00138142216f};

// tanh x = x + x³·(c0 + … + c4·x⁸) for |x| <= 0.625; relative error 4.4e-09.
constexpr float kTanh[5] = {-0.333332807f, 0.133314416f, -0.0537397154f, 0.020639088f, -0.00570498733f};

// log₂(erfc(a/√2)/2) = -1 + a·(c0 + … + c8·a⁸) on [0, 6]; relative error of the power 1.2e-08.
constexpr float kGeluTail[9] = {-1.15110552f,     -0.45920971f,    -0.052474726f,    0.00699866377f,  -4.8576283e-05f,
                                       -0.00024962661f, 6.4080552e-05f, -7.74694308e-06f, 3.89252421e-07f};

// gelu x = x·(1/2 + t·(c0 + … + c7·t¹⁴)), t = clamp(x, ±4); error 1.3e-4. At t = ±4 the bracket is exactly 1 or 0.
constexpr float kFastGelu[8] = {0.398186445f, -0.0650641173f,   0.00903977547f, -0.00088280515f,
                                       5.73988e-05f, -2.30996511e-06f, 5.05254398e-08f, -4.37957115e-10f};

// 1.5·2²³: x + kRound − kRound is x rounded to nearest even for |x| <= 2²², and the low bits of x + kRound hold the
// integer.
constexpr float kRound = 12582912.0f;
constexpr unsigned kRoundBits = 0x4B400000u;

constexpr float kLog2E = 1.44269504f;
constexpr float kLn2High = 0.693359375f;      // 355/512: n·kLn2High is exact for |n| < 2¹⁵
constexpr float kLn2Low = -2.12194440e-4f;    // ln2 − kLn2High
constexpr float kExpMax = 89.0f;              // eˣ is infinite from here on
constexpr float kExpMin = -104.0f;            // and 0 from here down
constexpr float kFastExp2Min = -24.0f;        // rne(255·2ˣ) is 0 below -9
constexpr float kExp2Min = -126.0f;           // smaller powers do not occur: softmax adds them to a 1
constexpr float kGeluTailEnd = 6.0f;          // a·erfc(a/√2)/2 < 6e-9 beyond
constexpr float kTanhSmall = 0.625f;
constexpr float kGeluTanhScale = 1.59576912f;  // 2·√(2/π)
constexpr float kGeluTanhCube = 0.044715f;

constexpr float kSmallestRange = 0x1p-100f;  // rows of a smaller range are quantised to zero

}  // namespace kinglet::kernels
