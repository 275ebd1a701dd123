// Matrix products with the batch innermost: the two loops in which nearly all the time is spent.
#pragma once
#include <utility>

#include "batch.h"

namespace backsight::BACKSIGHT_VARIANT {

#if BACKSIGHT_REGISTERS >= 32
constexpr long TILE_ROWS = 12, SUM_ROWS = 4, SUM_COLUMNS = 6;
#else
constexpr long TILE_ROWS = 6, SUM_ROWS = 3, SUM_COLUMNS = 3;
#endif

// `count` things dealt evenly into tiles of at most `most`.
struct Tiles {
  long number = 0, smaller = 0, larger = 0;  // the first `larger` tiles hold one more than `smaller`

  Tiles() = default;
  Tiles(long count, long most) : number((count + most - 1) / most) {
    if (number) smaller = count / number, larger = count % number;
  }
  long size(long tile) const { return smaller + (tile < larger); }
};

// The part of each row that is worked on: so many columns; from row to row are `stride`.
struct Span {
  long columns, stride;
};

// Calls `body` with the place of each vector of so many rows.
template <class Body>
BACKSIGHT_INLINE void each_vector(long rows, Span span, Body body) {
  for (long r = 0; r < rows; ++r)
    for (long c = 0; c < span.columns; c += LANES) body(r * span.stride + c);
}

// out[r] = start[r] + sum_k weights[k][r] * columns[k], for ROWS rows and WIDE vectors of columns.
// Every weight is loaded once and meets WIDE vectors; all sums stay in registers.
template <long ROWS, long WIDE>
inline void tile(const float* weights, long depth, const float* columns, long stride, const float* start,
                 bool add, float* out) {
  Vector sums[ROWS][WIDE];
#pragma GCC unroll 16
  for (long r = 0; r < ROWS; ++r)
#pragma GCC unroll 2
    for (long v = 0; v < WIDE; ++v)
      sums[r][v] = add ? load(out + r * stride + v * LANES) : start ? fill(start[r]) : Vector{};
  for (long k = 0; k < depth; ++k) {
    Vector column[WIDE];
#pragma GCC unroll 2
    for (long v = 0; v < WIDE; ++v) column[v] = load(columns + k * stride + v * LANES);
#pragma GCC unroll 16
    for (long r = 0; r < ROWS; ++r) {
      const Vector weight = fill(weights[k * ROWS + r]);
#pragma GCC unroll 2
      for (long v = 0; v < WIDE; ++v) sums[r][v] += weight * column[v];
    }
  }
#pragma GCC unroll 16
  for (long r = 0; r < ROWS; ++r)
#pragma GCC unroll 2
    for (long v = 0; v < WIDE; ++v) store(out + r * stride + v * LANES, sums[r][v]);
}

template <long ROWS>
inline void tile_of(long rows, const float* weights, long depth, const float* columns, Span span,
                    const float* start, bool add, float* out) {
  if constexpr (ROWS > 1)
    if (rows < ROWS) return tile_of<ROWS - 1>(rows, weights, depth, columns, span, start, add, out);
  constexpr long WIDE = LANES == 16 ? 1 : 2;  // columns are a multiple of 16
  if (LANES < 16 || span.columns % 32) {
    for (long c = 0; c < span.columns; c += WIDE * LANES)
      tile<ROWS, WIDE>(weights, depth, columns + c, span.stride, start, add, out + c);
  } else {
    for (long c = 0; c < span.columns; c += 2 * LANES)
      tile<ROWS, 2>(weights, depth, columns + c, span.stride, start, add, out + c);
  }
}

// A matrix (rows, depth), laid out for `multiply`: tile by tile, and in each tile column by column.
struct Packed {
  Tiles tiles;
  long depth = 0;
  const float* weights = nullptr;
};

template <class Weight>
inline Packed pack(long rows, long depth, Weight weight, float* memory) {
  const Packed packed{Tiles(rows, TILE_ROWS), depth, memory};
  for (long t = 0, begin = 0; t < packed.tiles.number; begin += packed.tiles.size(t++))
    for (long k = 0; k < depth; ++k)
      for (long r = begin; r < begin + packed.tiles.size(t); ++r) *memory++ = weight(r, k);
  return packed;
}

inline void multiply(const Packed& matrix, const float* columns, Span span, const float* start, bool add,
                     float* out) {
  const float* weights = matrix.weights;
  for (long t = 0; t < matrix.tiles.number; ++t) {
    const long rows = matrix.tiles.size(t);
    tile_of<TILE_ROWS>(rows, weights, matrix.depth, columns, span, start, add, out);
    weights += rows * matrix.depth;
    out += rows * span.stride;
    if (start) start += rows;
  }
}

// out (rows) = start (rows; null: zero) + matrix (rows, depth) times columns (depth).
inline void multiply(const Packed& matrix, const float* columns, Span span, const float* start, float* out) {
  multiply(matrix, columns, span, start, false, out);
}

// out (rows) += matrix (rows, depth) times columns (depth).
inline void multiply_add(const Packed& matrix, const float* columns, Span span, float* out) {
  multiply(matrix, columns, span, nullptr, true, out);
}

// In each group of 2 HALF lanes: the first half of the result is a's two halves added up, the second b's.
template <long HALF, long... L>
BACKSIGHT_INLINE Vector fold(Vector a, Vector b, std::integer_sequence<long, L...>) {
  // Lane l of the result takes its summands from a or b, as l is in the first half of its group or in the second.
  return BACKSIGHT_SHUFFLE(Lanes, a, b, static_cast<int>((L % (2 * HALF) < HALF ? L : LANES + L - HALF))...) +
         BACKSIGHT_SHUFFLE(Lanes, a, b, static_cast<int>((L % (2 * HALF) < HALF ? L + HALF : LANES + L))...);
}

// The sums over the lanes of COUNT vectors, in a tree: out[i] += the sum of values[i].
// Vectors meet in pairs, which need half as much room for their partial sums, until one vector has the sums of all.
template <long COUNT, long HALF = LANES / 2>
BACKSIGHT_INLINE Vector fold_all(Vector (&values)[COUNT]) {
  constexpr auto lanes = std::make_integer_sequence<long, LANES>();
  constexpr long pairs = COUNT > 1 ? COUNT / 2 : 1;
  Vector folded[pairs];
#pragma GCC unroll 8
  for (long i = 0; i < pairs; ++i) folded[i] = fold<HALF>(values[i], values[COUNT > 1 ? i + pairs : 0], lanes);
  if constexpr (HALF > 1)
    return fold_all<pairs, HALF / 2>(folded);
  else
    return folded[0];
}

// out[i * stride] += the sum over the lanes of values[i]
template <long COUNT>
BACKSIGHT_INLINE void add_sums(const Vector* values, float* out) {
  if constexpr (COUNT > 0) {
    constexpr long together = COUNT >= LANES ? LANES : COUNT > 7 ? 8 : COUNT > 3 ? 4 : COUNT > 1 ? 2 : 1;
    Vector some[together];
#pragma GCC unroll 16
    for (long i = 0; i < together; ++i) some[i] = values[i];
    float sums[LANES];
    store(sums, fold_all<together>(some));
#pragma GCC unroll 16
    for (long i = 0; i < together; ++i) out[i] += sums[i * (LANES / together)];
    add_sums<COUNT - together>(values + together, out + together);
  }
}

// Rows of `steps` consecutive steps of an array with the batch innermost.
struct Strip {
  const float* first;
  long step;  // from step to step
};

// out[k][r] += sum over steps and columns of a[k] * b[r], for KS rows of a and RS rows of b.
template <long KS, long RS>
inline void sum_of_products(Strip a, Strip b, long steps, Span span, float* out, long stride) {
  Vector sums[KS][RS] = {};
  for (long s = 0; s < steps; ++s)
    for (long c = 0; c < span.columns; c += LANES) {
      Vector other[RS];
#pragma GCC unroll 8
      for (long r = 0; r < RS; ++r) other[r] = load(b.first + s * b.step + r * span.stride + c);
#pragma GCC unroll 8
      for (long k = 0; k < KS; ++k) {
        const Vector one = load(a.first + s * a.step + k * span.stride + c);
#pragma GCC unroll 8
        for (long r = 0; r < RS; ++r) sums[k][r] += one * other[r];
      }
    }
  float found[KS * RS] = {};
  add_sums<KS * RS>(&sums[0][0], found);
#pragma GCC unroll 8
  for (long k = 0; k < KS; ++k)
#pragma GCC unroll 8
    for (long r = 0; r < RS; ++r) out[k * stride + r] += found[k * RS + r];
}

template <long KS, long RS>
inline void sum_of_products_of(long ks, long rs, Strip a, Strip b, long steps, Span span, float* out, long stride) {
  if constexpr (KS > 1)
    if (ks < KS) return sum_of_products_of<KS - 1, RS>(ks, rs, a, b, steps, span, out, stride);
  if constexpr (RS > 1)
    if (rs < RS) return sum_of_products_of<KS, RS - 1>(ks, rs, a, b, steps, span, out, stride);
  sum_of_products<KS, RS>(a, b, steps, span, out, stride);
}

// out (depth, rows; `stride` apart) += a (depth) times b (rows), summed over steps and columns.
inline void accumulate(Strip a, long depth, Strip b, long rows, long steps, Span span, float* out, long stride) {
  const Tiles outer(rows, SUM_COLUMNS), inner(depth, SUM_ROWS);
  for (long j = 0, r = 0; j < outer.number; r += outer.size(j++))
    for (long i = 0, k = 0; i < inner.number; k += inner.size(i++))
      sum_of_products_of<SUM_ROWS, SUM_COLUMNS>(inner.size(i), outer.size(j), {a.first + k * span.stride, a.step},
                                                {b.first + r * span.stride, b.step}, steps, span,
                                                out + k * stride + r, stride);
}

// out (rows) += b (rows), summed over steps and columns.
template <long RS>
inline void accumulate_rows(Strip b, long rows, long steps, Span span, float* out) {
  for (; rows >= RS; rows -= RS, b.first += RS * span.stride, out += RS) {
    Vector totals[RS] = {};
    for (long s = 0; s < steps; ++s)
      for (long c = 0; c < span.columns; c += LANES)
#pragma GCC unroll 8
        for (long r = 0; r < RS; ++r) totals[r] += load(b.first + s * b.step + r * span.stride + c);
    add_sums<RS>(totals, out);
  }
  if constexpr (RS > 1) accumulate_rows<RS / 2>(b, rows, steps, span, out);
}

}  // namespace backsight::BACKSIGHT_VARIANT
