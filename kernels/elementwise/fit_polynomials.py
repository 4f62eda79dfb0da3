#!/usr/bin/env python3
"""Fits the polynomials of polynomials.h: weighted minimax by Lawson's iteration, then rounding to float32.

Needs numpy. Prints C++ constants and the error of each polynomial before rounding; the errors with rounded
coefficients and float32 arithmetic are measured by tests/kernels/functions_test.cc.
"""
import math

import numpy as np


def minimax(basis, target, weight, iterations=4000):
    """Coefficients c that minimise max |weight * (basis @ c - target)| over the grid (Lawson's algorithm)."""
    scaled = basis * weight[:, None]
    aim = target * weight
    lawson = np.full(len(target), 1.0 / len(target))
    best, best_error = None, math.inf
    for _ in range(iterations):
        root = np.sqrt(lawson)
        c = np.linalg.lstsq(scaled * root[:, None], aim * root, rcond=None)[0]
        error = np.abs(scaled @ c - aim)
        if error.max() < best_error:
            best, best_error = c, error.max()
        lawson *= error
        lawson /= lawson.sum()
    return best, best_error


def chebyshev_grid(low, high, count=2001):
    nodes = np.cos(np.pi * (np.arange(count) + 0.5) / count)
    return (low + high) / 2 + (high - low) / 2 * nodes


def powers(x, exponents):
    return np.stack([x ** e for e in exponents], axis=1)


def show(name, comment, coefficients):
    print(f"// {comment}")
    digits = ", ".join(f"{float(np.float32(c)):.9g}f" for c in coefficients)
    print(f"constexpr float {name}[{len(coefficients)}] = {{{digits}}};\n")


def fast_exp2():
    """255 * 2^f = 255 + f (c1 + c2 f + c3 f^2), relative error."""
    f = chebyshev_grid(-0.5, 0.5)
    exact = np.exp2(f)
    c, error = minimax(powers(f, [1, 2, 3]), exact - 1, 1 / exact)
    show("kFastExp2", f"255·2^f = 255 + f·(c0 + c1·f + c2·f²) on [-1/2, 1/2]; relative error {error:.2g}.", 255 * c)


def exp2():
    f = chebyshev_grid(-0.5, 0.5)
    exact = np.exp2(f)
    c, error = minimax(powers(f, range(1, 7)), exact - 1, 1 / exact)
    show("kExp2", f"2^f = 1 + f·(c0 + … + c5·f⁵) on [-1/2, 1/2]; relative error {error:.2g}.", c)


def exp():
    f = chebyshev_grid(-0.3475, 0.3475)
    exact = np.exp(f)
    c, error = minimax(powers(f, range(2, 7)), exact - 1 - f, 1 / exact)
    show("kExp", f"eᶠ = 1 + f + f²·(c0 + … + c4·f⁴) on ±ln2/2; relative error {error:.2g}.", c)


def tanh():
    x = chebyshev_grid(1e-3, 0.625)
    exact = np.tanh(x)
    c, error = minimax(powers(x, [3, 5, 7, 9, 11]), exact - x, 1 / exact)
    show("kTanh", f"tanh x = x + x³·(c0 + … + c4·x⁸) for |x| <= 0.625; relative error {error:.2g}.", c)


def gelu_tail():
    """log2(erfc(a/sqrt 2)/2) = -1 + a (c0 + c1 a + ...): gelu(x) = max(x, 0) - a 2^L(a), a = |x|."""
    a = chebyshev_grid(1e-4, 6.0)
    h = np.array([math.erfc(v / math.sqrt(2)) / 2 for v in a])
    weight = math.log(2) * np.minimum(a * 0 + 1, 8 * a * h)
    degree = 9
    c, error = minimax(powers(a, range(1, degree + 1)), np.log2(h) + 1, weight * 1.0)
    show("kGeluTail", f"log₂(erfc(a/√2)/2) = -1 + a·(c0 + … + c{degree - 1}·a{degree - 1}) on [0, 6]; "
         f"relative error of the power {error:.2g}.", c)


def fast_gelu():
    """gelu(x) = x (1/2 + t P(t^2)), t = clamp(x, +-4), with 4 P(16) = 1/2 exactly."""
    x = chebyshev_grid(1e-6, 4.0)
    exact = np.array([0.5 * math.erf(v / math.sqrt(2)) for v in x])
    count = 8
    # P(u) = 1/8 + (u - 16) Q(u): the constraint holds by construction.
    q = powers(x * x / 16, range(count - 1)) * ((x * x - 16) * x)[:, None]
    c, error = minimax(q, exact - x / 8, x)
    scaled = c / 16.0 ** np.arange(count - 1)
    p = np.zeros(count)
    p[0] = 1 / 8
    p[1:] += scaled
    p[:-1] -= 16 * scaled
    p = p.astype(np.float32)

    def at_16(coefficients):
        value = np.float32(0)
        for k in coefficients[::-1]:
            value = np.float32(np.float32(value * np.float32(16)) + k)
        return value

    # Rounding must not spoil the constraint: c0 takes up the slack (each step of it is far below the error).
    for _ in range(100):
        miss = np.float32(0.125) - at_16(p)
        if miss == 0:
            break
        p[0] = np.float32(p[0] + miss)
    assert at_16(p) == np.float32(0.125)
    show("kFastGelu", f"gelu x = x·(1/2 + t·(c0 + … + c{count - 1}·t^{2 * count - 2})), t = clamp(x, ±4); error "
         f"{error:.2g} inside, 1.3e-4 beyond. At t = ±4 the bracket is exactly 1 or 0.", p)


if __name__ == "__main__":
    fast_exp2()
    exp2()
    exp()
    tanh()
    gelu_tail()
    fast_gelu()
