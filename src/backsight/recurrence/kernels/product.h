// Matrix products with the batch innermost: the two loops in which nearly all the time is spent.
#pragma once
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

// out[r] = start[r] + sum_k weights[k][r] * columns[k], for ROWS rows and WIDE vectors of columns.
// Every weight is loaded once and meets WIDE vectors; all sums stay in registers.
template <long ROWS, long WIDE>
inline void tile(const float* weights, long depth, const float* columns, long width, const float* start,
                 bool add, float* out) {
  Vector sums[ROWS][WIDE];
#pragma GCC unroll 16
  for (long r = 0; r < ROWS; ++r)
#pragma GCC unroll 2
    for (long v = 0; v < WIDE; ++v)
      sums[r][v] = add ? load(out + r * width + v * LANES) : start ? fill(start[r]) : Vector{};
  for (long k = 0; k < depth; ++k) {
    Vector column[WIDE];
#pragma GCC unroll 2
    for (long v = 0; v < WIDE; ++v) column[v] = load(columns + k * width + v * LANES);
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
    for (long v = 0; v < WIDE; ++v) store(out + r * width + v * LANES, sums[r][v]);
}

template <long ROWS>
inline void tile_of(long rows, const float* weights, long depth, const float* columns, long width,
                    const float* start, bool add, float* out) {
  if constexpr (ROWS > 1)
    if (rows < ROWS) return tile_of<ROWS - 1>(rows, weights, depth, columns, width, start, add, out);
  constexpr long WIDE = LANES == 16 ? 1 : 2;  // a width is a multiple of 16
  if (LANES < 16 || width % 32) {
    for (long c = 0; c < width; c += WIDE * LANES)
      tile<ROWS, WIDE>(weights, depth, columns + c, width, start, add, out + c);
  } else {
    for (long c = 0; c < width; c += 2 * LANES)
      tile<ROWS, 2>(weights, depth, columns + c, width, start, add, out + c);
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

inline void multiply(const Packed& matrix, const float* columns, long width, const float* start, bool add,
                     float* out) {
  const float* weights = matrix.weights;
  for (long t = 0; t < matrix.tiles.number; ++t) {
    const long rows = matrix.tiles.size(t);
    tile_of<TILE_ROWS>(rows, weights, matrix.depth, columns, width, start, add, out);
    weights += rows * matrix.depth;
    out += rows * width;
    if (start) start += rows;
  }
}

// out (rows, width) = start (rows; null: zero) + matrix (rows, depth) times columns (depth, width).
inline void multiply(const Packed& matrix, const float* columns, long width, const float* start, float* out) {
  multiply(matrix, columns, width, start, false, out);
}

// out (rows, width) += matrix (rows, depth) times columns (depth, width).
inline void multiply_add(const Packed& matrix, const float* columns, long width, float* out) {
  multiply(matrix, columns, width, nullptr, true, out);
}

// The sum over the lanes, always in the same order.
inline float sum(Vector value) {
  float lanes[LANES];
  store(lanes, value);
  Quarter total = load_quarter(lanes);
  for (long l = 4; l < LANES; l += 4) total += load_quarter(lanes + l);
  return (total[0] + total[1]) + (total[2] + total[3]);
}

// Rows of `steps` consecutive steps of an array with the batch innermost.
struct Strip {
  const float* first;
  long stride;  // from step to step
};

// out[k][r] += sum over steps and columns of a[k] * b[r], for KS rows of a and RS rows of b.
template <long KS, long RS>
inline void sum_of_products(Strip a, Strip b, long steps, long width, float* out, long stride) {
  Vector sums[KS][RS] = {};
  for (long s = 0; s < steps; ++s)
    for (long c = 0; c < width; c += LANES) {
      Vector other[RS];
#pragma GCC unroll 8
      for (long r = 0; r < RS; ++r) other[r] = load(b.first + s * b.stride + r * width + c);
#pragma GCC unroll 8
      for (long k = 0; k < KS; ++k) {
        const Vector one = load(a.first + s * a.stride + k * width + c);
#pragma GCC unroll 8
        for (long r = 0; r < RS; ++r) sums[k][r] += one * other[r];
      }
    }
#pragma GCC unroll 8
  for (long k = 0; k < KS; ++k)
#pragma GCC unroll 8
    for (long r = 0; r < RS; ++r) out[k * stride + r] += sum(sums[k][r]);
}

template <long KS, long RS>
inline void sum_of_products_of(long ks, long rs, Strip a, Strip b, long steps, long width, float* out, long stride) {
  if constexpr (KS > 1)
    if (ks < KS) return sum_of_products_of<KS - 1, RS>(ks, rs, a, b, steps, width, out, stride);
  if constexpr (RS > 1)
    if (rs < RS) return sum_of_products_of<KS, RS - 1>(ks, rs, a, b, steps, width, out, stride);
  sum_of_products<KS, RS>(a, b, steps, width, out, stride);
}

// out (depth, rows; `stride` apart) += a (depth) times b (rows), summed over steps and columns.
inline void accumulate(Strip a, long depth, Strip b, long rows, long steps, long width, float* out, long stride) {
  const Tiles outer(rows, SUM_COLUMNS), inner(depth, SUM_ROWS);
  for (long j = 0, r = 0; j < outer.number; r += outer.size(j++))
    for (long i = 0, k = 0; i < inner.number; k += inner.size(i++))
      sum_of_products_of<SUM_ROWS, SUM_COLUMNS>(inner.size(i), outer.size(j), {a.first + k * width, a.stride},
                                                {b.first + r * width, b.stride}, steps, width,
                                                out + k * stride + r, stride);
}

// out (rows) += b (rows), summed over steps and columns.
inline void accumulate_rows(Strip b, long rows, long steps, long width, float* out) {
  for (long r = 0; r < rows; ++r) {
    Vector total = {};
    for (long s = 0; s < steps; ++s)
      for (long c = 0; c < width; c += LANES) total += load(b.first + s * b.stride + r * width + c);
    out[r] += sum(total);
  }
}

}  // namespace backsight::BACKSIGHT_VARIANT
