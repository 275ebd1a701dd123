// Between the caller's arrays, a window after the other, and blocks with the batch innermost.
#pragma once
#include "vector.h"

namespace backsight::BACKSIGHT_VARIANT {

// to[f][b] = from[b][f]; columns beyond the batch are 0.
inline void to_columns(const float* from, long stride, long rows, long batch, long width, float* to) {
  for (long f = 0; f < rows; ++f) {
#pragma GCC unroll 8
    for (long b = 0; b < batch; ++b) to[f * width + b] = from[b * stride + f];
    for (long b = batch; b < width; ++b) to[f * width + b] = 0.0f;
  }
}

// to[f][b] += from[b][f]
inline void add_columns(const float* from, long stride, long rows, long batch, long width, float* to) {
  for (long f = 0; f < rows; ++f)
#pragma GCC unroll 8
    for (long b = 0; b < batch; ++b) to[f * width + b] += from[b * stride + f];
}

// to[b][f] = from[f][b]
inline void from_columns(const float* from, long stride, long rows, long batch, long width, float* to) {
  for (long b = 0; b < batch; ++b)
#pragma GCC unroll 8
    for (long f = 0; f < rows; ++f) to[b * stride + f] = from[f * width + b];
}

}  // namespace backsight::BACKSIGHT_VARIANT
