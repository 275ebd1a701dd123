// A vector of floats, and the functions of it that gates are made of.
//
// Compiled once for every instruction set: BACKSIGHT_VARIANT names the copy, BACKSIGHT_LANES says how
// many floats go into one register. Each copy has a namespace of its own and uses nothing that is
// inline elsewhere, so that the linker cannot mix up code for different processors.
#pragma once
#include <cstdint>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "calls.h"

namespace backsight::BACKSIGHT_VARIANT {

constexpr long LANES = BACKSIGHT_LANES;

using Vector = float __attribute__((vector_size(4 * LANES)));
using Bits = std::uint32_t __attribute__((vector_size(4 * LANES)));
using Lanes = std::int32_t __attribute__((vector_size(4 * LANES)));
using Unaligned = float __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

// Vectors must not travel through calls: they would be stored and loaded again. The second is for lambdas.
#define BACKSIGHT_INLINE inline __attribute__((always_inline))
#define BACKSIGHT_INLINED __attribute__((always_inline))

// The numbers of a and b in another order; `Numbers` is a vector of as many integers as go into the result.
#if defined(__clang__)
#define BACKSIGHT_SHUFFLE(Numbers, a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define BACKSIGHT_SHUFFLE(Numbers, a, b, ...) __builtin_shuffle(a, b, Numbers{__VA_ARGS__})
#endif

BACKSIGHT_INLINE Vector load(const float* from) { return *reinterpret_cast<const Unaligned*>(from); }
BACKSIGHT_INLINE void store(float* to, Vector value) { *reinterpret_cast<Unaligned*>(to) = value; }
BACKSIGHT_INLINE Vector fill(float value) { return Vector{} + value; }

// NaN stays NaN: these instructions give their second operand if either is one, and a comparison with
// NaN is false.
BACKSIGHT_INLINE Vector clamp(Vector x, float low, float high) {
#if defined(__AVX512F__)
  return _mm512_min_ps(fill(high), _mm512_max_ps(fill(low), x));
#elif defined(__AVX2__)
  return _mm256_min_ps(fill(high), _mm256_max_ps(fill(low), x));
#else
  x = x < low ? fill(low) : x;
  return x > high ? fill(high) : x;
#endif
}

// e^(K x) as two factors: `scale`, a power of two, and 1 + the value returned. For |K x| < 88.
//
// K x = n ln 2 + K r with |K r| <= ln 2 / 2, and (e^y - 1) / y is a polynomial (interpolated at Chebyshev
// nodes, error 1e-8). Apart from 1, small values keep all their digits, and tanh near 0 needs them. K is
// multiplied into the constants, where it costs nothing.
template <int K>
BACKSIGHT_INLINE Vector exponential(Vector x, Vector& scale) {
  const float shifter = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer, in the lowest bits
  Vector shifted = x * (K * 1.44269504f) + shifter;
  Vector n = shifted - shifter;
  Vector r = x - n * (0.693147180f / K);
  Vector q = r * (K * K * K * K * K * K * 1.3933649752e-3f) + K * K * K * K * K * 8.3691552281e-3f;
  q = q * r + K * K * K * K * 4.1666466743e-2f;
  q = q * r + K * K * K * 1.6666504741e-1f;
  q = q * r + K * K * 0.5f;
  q = q * r + K * 1.0f;
  scale = reinterpret_cast<Vector>((reinterpret_cast<Bits>(shifted) << 23) + 0x3f800000u);
  return q * r;
}

// 1 / x for x in 1 .. 1e38. Where the processor has a first guess, one or two steps of Newton's method
// (each doubles the digits) are three times as fast as a division.
BACKSIGHT_INLINE Vector reciprocal(Vector x) {
#if defined(__AVX512F__)
  Vector guess = _mm512_rcp14_ps(x);
#elif defined(__AVX2__)
  Vector guess = _mm256_rcp_ps(x);
  guess = guess + guess * (1.0f - x * guess);
#else
  return 1.0f / x;
#endif
#if defined(__AVX2__)
  return guess + guess * (1.0f - x * guess);
#endif
}

BACKSIGHT_INLINE Vector square_root(Vector x) {
#if defined(__AVX512F__)
  return _mm512_sqrt_ps(x);
#elif defined(__AVX2__)
  return _mm256_sqrt_ps(x);
#else
  for (long l = 0; l < LANES; ++l) x[l] = __builtin_sqrtf(x[l]);
  return x;
#endif
}

BACKSIGHT_INLINE Vector sigmoid(Vector x) {
  Vector scale;
  Vector rest = exponential<-1>(clamp(x, -87.0f, 87.0f), scale);
  return reciprocal(scale * rest + (scale + 1.0f));
}

BACKSIGHT_INLINE Vector tanh(Vector x) {
  Vector scale;
  Vector rest = exponential<2>(clamp(x, -10.0f, 10.0f), scale);
  Vector minus_one = scale * rest + (scale - 1.0f);  // e^2x - 1
  return minus_one * reciprocal(minus_one + 2.0f);
}

template <Activation A>
BACKSIGHT_INLINE Vector activate(Vector x) {
  if constexpr (A == Activation::tanh) return tanh(x);
  if constexpr (A == Activation::sigmoid) return sigmoid(x);
  if constexpr (A == Activation::relu) return x < 0.0f ? Vector{} : x;
  return x;
}

// The derivative of an activation, from its value.
template <Activation A>
BACKSIGHT_INLINE Vector slope(Vector y) {
  if constexpr (A == Activation::tanh) return 1.0f - y * y;
  if constexpr (A == Activation::sigmoid) return y * (1.0f - y);
  if constexpr (A == Activation::relu) return y > 0.0f ? fill(1.0f) : Vector{};
  return fill(1.0f);
}

}  // namespace backsight::BACKSIGHT_VARIANT
