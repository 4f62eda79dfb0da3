// The x86 intrinsics, for files compiled with ISA flags. gcc 12 warns about its own headers' undefined values
// (_mm512_undefined_ps and its like) wherever they are inlined.
#pragma once

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop
#else
#include <immintrin.h>
#endif
