// Between the caller's arrays, a window after the other, and blocks with the batch innermost.
//
// Numbers go over in squares of four by four, through registers.
#pragma once
#include "vector.h"

namespace backsight::BACKSIGHT_VARIANT {

using Quarter = float __attribute__((vector_size(16)));
using QuarterUnaligned = float __attribute__((vector_size(16), aligned(4), may_alias));
using QuarterBits = std::int32_t __attribute__((vector_size(16)));

BACKSIGHT_INLINE Quarter load_quarter(const float* from) { return *reinterpret_cast<const QuarterUnaligned*>(from); }
BACKSIGHT_INLINE void store_quarter(float* to, Quarter value) { *reinterpret_cast<QuarterUnaligned*>(to) = value; }

BACKSIGHT_INLINE void transpose(Quarter (&q)[4]) {
  const Quarter a = BACKSIGHT_SHUFFLE(QuarterBits, q[0], q[1], 0, 4, 1, 5);
  const Quarter b = BACKSIGHT_SHUFFLE(QuarterBits, q[0], q[1], 2, 6, 3, 7);
  const Quarter c = BACKSIGHT_SHUFFLE(QuarterBits, q[2], q[3], 0, 4, 1, 5);
  const Quarter d = BACKSIGHT_SHUFFLE(QuarterBits, q[2], q[3], 2, 6, 3, 7);
  q[0] = BACKSIGHT_SHUFFLE(QuarterBits, a, c, 0, 1, 4, 5);
  q[1] = BACKSIGHT_SHUFFLE(QuarterBits, a, c, 2, 3, 6, 7);
  q[2] = BACKSIGHT_SHUFFLE(QuarterBits, b, d, 0, 1, 4, 5);
  q[3] = BACKSIGHT_SHUFFLE(QuarterBits, b, d, 2, 3, 6, 7);
}

// Rows of consecutive steps, one after the other: `rows` of each step, `stride` from step to step.
template <class Float>
class RowsOfSteps {
 public:
  RowsOfSteps(Float* first, long rows, long stride, long width)
      : step_(first), rows_(rows), stride_(stride), width_(width) {}

  Float* next() {
    if (row_ == rows_) row_ = 0, step_ += stride_;
    return step_ + row_++ * width_;
  }

 private:
  Float* step_;
  long rows_, stride_, width_, row_ = 0;
};

// The i-th row = from[b][i], for the `count` numbers of each window; columns beyond the batch are 0.
inline void to_columns(const float* from, long window, long count, long batch, long width, RowsOfSteps<float> rows) {
  long i = 0;
  for (; i + 4 <= count; i += 4) {
    float* const to[4] = {rows.next(), rows.next(), rows.next(), rows.next()};
    long b = 0;
    for (; b + 4 <= batch; b += 4) {
      Quarter q[4];
      for (long k = 0; k < 4; ++k) q[k] = load_quarter(from + (b + k) * window + i);
      transpose(q);
      for (long k = 0; k < 4; ++k) store_quarter(to[k] + b, q[k]);
    }
    for (; b < width; ++b)
      for (long k = 0; k < 4; ++k) to[k][b] = b < batch ? from[b * window + i + k] : 0.0f;
  }
  for (; i < count; ++i) {
    float* to = rows.next();
    for (long b = 0; b < width; ++b) to[b] = b < batch ? from[b * window + i] : 0.0f;
  }
}

// to[b][i] = the i-th row's b
inline void from_columns(RowsOfSteps<const float> rows, long count, long batch, float* to, long window) {
  long i = 0;
  for (; i + 4 <= count; i += 4) {
    const float* const from[4] = {rows.next(), rows.next(), rows.next(), rows.next()};
    long b = 0;
    for (; b + 4 <= batch; b += 4) {
      Quarter q[4];
      for (long k = 0; k < 4; ++k) q[k] = load_quarter(from[k] + b);
      transpose(q);
      for (long k = 0; k < 4; ++k) store_quarter(to + (b + k) * window + i, q[k]);
    }
    for (; b < batch; ++b)
      for (long k = 0; k < 4; ++k) to[b * window + i + k] = from[k][b];
  }
  for (; i < count; ++i) {
    const float* from = rows.next();
    for (long b = 0; b < batch; ++b) to[b * window + i] = from[b];
  }
}

}  // namespace backsight::BACKSIGHT_VARIANT
