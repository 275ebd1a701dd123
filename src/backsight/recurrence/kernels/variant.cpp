// The loops over blocks of windows and over steps, the same for every cell. Compiled once for each
// instruction set; see `vector.h`.
#include <cstdlib>
#ifdef BACKSIGHT_SANITIZE
#include <sanitizer/asan_interface.h>
#endif

#include "cells.h"

namespace backsight::BACKSIGHT_VARIANT {
namespace {

// For tests/kernels/sanitize.cpp: numbers after each piece of working memory that nobody may touch, and
// NaN in the piece until it is written.
#ifdef BACKSIGHT_SANITIZE
constexpr long GAP = 1;
void guard(float* piece, long size, const float* end) {
  ASAN_UNPOISON_MEMORY_REGION(piece, 4 * size);
  for (long i = 0; i < size; ++i) piece[i] = __builtin_nanf("");
  ASAN_POISON_MEMORY_REGION(piece + size, 4 * (end - piece - size));
}
#else
constexpr long GAP = 0;
void guard(float*, long, const float*) {}
#endif

// Steps after which the backward pass adds up the weights' gradient: few enough that a strip of
// slopes is still in the nearest cache, many enough that sums over lanes cost little.
constexpr long CHUNK = 32;

// Steps whose gradients of inputs or outputs are handed over together.
constexpr long AT_ONCE = 8;

// Memory for packed weights and the like. Each thread keeps its own, as large as it ever was, since
// every training step asks for the same.
class Workspace {
 public:
  explicit Workspace(long size) {
    thread_local Kept kept;
    if (size > kept.size) {
      std::free(kept.memory);
      kept.size = rounded(size);
      kept.memory = static_cast<float*>(std::aligned_alloc(64, 4 * kept.size));
      if (!kept.memory) std::abort();  // as XLA does when memory ends
    }
    next_ = kept.memory;
  }

  float* take(long size) {
    float* taken = next_;
    next_ += rounded(size);
    guard(taken, size, next_);
    return taken;
  }

  // Every piece begins on a line of the cache.
  static long rounded(long size) { return (size + GAP + 15) / 16 * 16; }

 private:
  struct Kept {
    float* memory = nullptr;
    long size = 0;
    ~Kept() { std::free(memory); }
  };
  float* next_;
};

// The caller's weights, seen as one matrix from rows of the panel to rows of the product.
template <class Cell>
struct Matrix {
  const float *kernel, *recurrent;
  long units, features;

  float operator()(long row, long k) const {
    const Source source = Cell::source(row, units);
    const long columns = Cell::ROWS.gates * units;
    if (k < units) return recurrent[k * columns + source.recurrent];
    if (k < units + features) return kernel[(k - units) * columns + source.kernel];
    return recurrent[(k - units - features) * columns + source.recurrent];
  }
};

// A state of each window, (batch, units), and the same with the batch innermost.
void state_to_columns(const float* from, long units, long batch, long width, float* to) {
  to_columns(from, units, units, batch, width, {to, units, 0, width});
}
void state_from_columns(const float* from, long units, long batch, long width, float* to) {
  from_columns({from, units, 0, width}, units, batch, to, units);
}

template <class Cell>
void forward(const Forward& call) {
  const long batch = call.shape.batch, steps = call.shape.steps, width = call.shape.width;
  const long features = call.shape.features, units = call.shape.units, state = units * width;
  const long depth = (1 + Cell::ROWS.extra) * units + features, rows = Cell::ROWS.rows * units;
  const long panel_size = call.shape.panel_rows * width, saved_size = call.shape.saved_rows * width;
  const Matrix<Cell> matrix{call.kernel, call.recurrent, units, features};

  Workspace work(Workspace::rounded(rows) + Workspace::rounded(state) + Cell::PRODUCTS * 16 + rows * depth);
  float* bias = work.take(rows);
  float* carry = work.take(state);
  for (long r = 0; r < rows; ++r) {
    const Source source = Cell::source(r, units);
    bias[r] = call.bias[source.bias] + (source.second_bias < 0 ? 0.0f : call.bias[source.second_bias]);
  }
  Packed weights[Cell::PRODUCTS];
  for (long p = 0; p < Cell::PRODUCTS; ++p) {
    const Product product = Cell::product(p, units, features);
    weights[p] = pack(
        product.rows, product.depth, [&](long r, long k) { return matrix(product.row + r, product.at + k); },
        work.take(product.rows * product.depth));
  }

  for (long block = 0; block < call.shape.blocks(); ++block) {
    const long first = block * width, here = batch - first < width ? batch - first : width;
    float* const panel = call.panel + block * panel_size * (steps + 1);
    float* const saved = call.saved + block * saved_size * (call.keep ? steps : 1);
    state_to_columns(call.hidden + first * units, units, here, width, panel);
    if (Cell::ROWS.carries) state_to_columns(call.carry + first * units, units, here, width, carry);
    float* const inputs = panel + state;
    to_columns(call.inputs + first * steps * features, steps * features, steps * features, here, width,
               call.backwards ? RowsOfSteps<float>{inputs + (steps - 1) * panel_size, features, -panel_size, width}
                              : RowsOfSteps<float>{inputs, features, panel_size, width});
    for (long s = 0; s < steps; ++s)
      Cell::forward({units, features, width, weights, bias, panel + s * panel_size,
                     saved + (call.keep ? s * saved_size : 0), carry, panel + (s + 1) * panel_size});
    if (call.sequences)
      from_columns({panel + panel_size, units, panel_size, width}, steps * units, here,
                   call.outputs + first * steps * units, steps * units);
    else
      state_from_columns(panel + steps * panel_size, units, here, width, call.outputs + first * units);
    if (Cell::ROWS.carries)
      state_from_columns(carry, units, here, width, call.last_carry + first * units);
  }
}

// Adds the gradient of the matrix, as it was summed up for each product, to the caller's weights.
template <class Cell>
void give_gradient(const Backward& call, const float* sums, const float* bias_sums) {
  const long features = call.shape.features, units = call.shape.units;
  const long columns = Cell::ROWS.gates * units, rows = Cell::ROWS.rows * units;
  for (long i = 0; i < features * columns; ++i) call.kernel_slope[i] = 0.0f;
  for (long i = 0; i < units * columns; ++i) call.recurrent_slope[i] = 0.0f;
  for (long p = 0; p < Cell::PRODUCTS; ++p) {
    const Product product = Cell::product(p, units, features);
    for (long k = product.at; k < product.at + product.depth; ++k)
      for (long r = product.row; r < product.row + product.rows; ++r) {
        const Source source = Cell::source(r, units);
        const float value = *sums++;
        if (k < units)
          call.recurrent_slope[k * columns + source.recurrent] += value;
        else if (k < units + features)
          call.kernel_slope[(k - units) * columns + source.kernel] += value;
        else
          call.recurrent_slope[(k - units - features) * columns + source.recurrent] += value;
      }
  }
  for (long r = 0; r < rows; ++r) {
    const Source source = Cell::source(r, units);
    call.bias_slope[source.bias] = bias_sums[r];
    if (source.second_bias >= 0) call.bias_slope[source.second_bias] = bias_sums[r];
  }
}

template <class Cell>
void backward(const Backward& call) {
  const long batch = call.shape.batch, steps = call.shape.steps, width = call.shape.width;
  const long features = call.shape.features, units = call.shape.units, state = units * width;
  const long depth = (1 + Cell::ROWS.extra) * units + features, rows = Cell::ROWS.rows * units;
  const long panel_size = call.shape.panel_rows * width, saved_size = call.shape.saved_rows * width;
  const Matrix<Cell> matrix{call.kernel, call.recurrent, units, features};

  Workspace work(Workspace::rounded(rows) + (3 + AT_ONCE) * Workspace::rounded(state) + Workspace::rounded(rows * depth) +
                 Cell::TRANSPOSED * 16 + rows * units);
  float* bias_sums = work.take(rows);
  float* hidden = work.take(state);
  float* carry = work.take(state);
  float* reset = work.take(state);
  float* outputs_slope = work.take(AT_ONCE * state);
  float* sums = work.take(rows * depth);
  for (long i = 0; i < rows; ++i) bias_sums[i] = 0.0f;
  for (long i = 0; i < rows * depth; ++i) sums[i] = 0.0f;
  Packed weights[Cell::TRANSPOSED];
  for (long p = 0; p < Cell::TRANSPOSED; ++p) {
    const Product product = Cell::transposed(p, units, features);
    weights[p] = pack(
        product.depth, product.rows, [&](long k, long r) { return matrix(product.row + r, product.at + k); },
        work.take(product.rows * product.depth));
  }

  for (long block = 0; block < call.shape.blocks(); ++block) {
    const long first = block * width, here = batch - first < width ? batch - first : width;
    const float* panel = call.panel + block * panel_size * (steps + 1);
    float* const saved = call.saved + block * saved_size * steps;
    if (call.sequences)
      for (long i = 0; i < state; ++i) hidden[i] = 0.0f;
    else
      state_to_columns(call.outputs_slope + first * units, units, here, width, hidden);
    if (Cell::ROWS.carries)
      state_to_columns(call.last_carry_slope + first * units, units, here, width, carry);
    for (long end = steps; end > 0; end -= CHUNK) {
      const long begin = end > CHUNK ? end - CHUNK : 0;
      for (long s = end - 1; s >= begin; --s) {
        if (call.sequences) {
          const long at = s % AT_ONCE, together = s - at;
          if (at == AT_ONCE - 1 || s == steps - 1)
            to_columns(call.outputs_slope + (first * steps + together) * units, steps * units, (at + 1) * units, here,
                       width, {outputs_slope, units, state, width});
          for (long i = 0; i < state; i += LANES)
            store(hidden + i, load(hidden + i) + load(outputs_slope + at * state + i));
        }
        Cell::backward({units, features, width, weights, panel + s * panel_size, saved + s * saved_size, hidden, carry,
                        reset});
      }
      const Strip from{panel + begin * panel_size, panel_size}, to{saved + begin * saved_size, saved_size};
      float* sum = sums;
      for (long p = 0; p < Cell::PRODUCTS; ++p) {
        const Product product = Cell::product(p, units, features);
        accumulate({from.first + product.at * width, from.stride}, product.depth,
                   {to.first + product.row * width, to.stride}, product.rows, end - begin, width, sum, product.rows);
        sum += product.depth * product.rows;
      }
      accumulate_rows(to, rows, end - begin, width, bias_sums);
    }
    state_from_columns(hidden, units, here, width, call.hidden_slope + first * units);
    if (Cell::ROWS.carries)
      state_from_columns(carry, units, here, width, call.carry_slope + first * units);
  }
  give_gradient<Cell>(call, sums, bias_sums);
}

template <class Cell>
void input_gradient(const InputGradient& call) {
  const long batch = call.shape.batch, steps = call.shape.steps, width = call.shape.width;
  const long features = call.shape.features, units = call.shape.units;
  const long columns = Cell::ROWS.gates * units, saved_size = call.shape.saved_rows * width;
  const Matrix<Cell> matrix{call.kernel, nullptr, units, features};
  Workspace work(Workspace::rounded(AT_ONCE * features * width) + features * columns);
  float* found = work.take(AT_ONCE * features * width);
  const Packed weights = pack(
      features, columns, [&](long k, long r) { return matrix(r, units + k); }, work.take(features * columns));
  for (long block = 0; block < call.shape.blocks(); ++block) {
    const long first = block * width, here = batch - first < width ? batch - first : width;
    const float* slopes = call.slopes + block * steps * saved_size;
    for (long begin = 0; begin < steps; begin += AT_ONCE) {
      const long end = begin + AT_ONCE < steps ? begin + AT_ONCE : steps;
      for (long t = begin; t < end; ++t) {
        const long s = call.backwards ? steps - 1 - t : t;
        multiply(weights, slopes + s * saved_size, width, nullptr, found + (t - begin) * features * width);
      }
      from_columns({found, features, features * width, width}, (end - begin) * features, here,
                   call.inputs_slope + (first * steps + begin) * features, steps * features);
    }
  }
}

}  // namespace

#define EVERY_ACTIVATION(function, Cell)                                                     \
  {                                                                                          \
    function<Cell<Activation::tanh>>, function<Cell<Activation::relu>>,                      \
        function<Cell<Activation::linear>>, function<Cell<Activation::sigmoid>>              \
  }
#define EVERY_CELL(function) \
  { EVERY_ACTIVATION(function, SimpleRnn), EVERY_ACTIVATION(function, Lstm), \
    EVERY_ACTIVATION(function, Gru), EVERY_ACTIVATION(function, GruResetBefore) }

// An activation changes neither rows nor the input gradient, so any stands for all.
constexpr Activation ANY = Activation::tanh;

extern const Variant VARIANT;
const Variant VARIANT = {
    BACKSIGHT_VARIANT_NAME,
    EVERY_CELL(forward),
    EVERY_CELL(backward),
    {input_gradient<SimpleRnn<ANY>>, input_gradient<Lstm<ANY>>, input_gradient<Gru<ANY>>,
     input_gradient<GruResetBefore<ANY>>},
    {SimpleRnn<ANY>::ROWS, Lstm<ANY>::ROWS, Gru<ANY>::ROWS, GruResetBefore<ANY>::ROWS},
};

}  // namespace backsight::BACKSIGHT_VARIANT
