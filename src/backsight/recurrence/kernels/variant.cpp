// The loops over blocks of windows and over steps, the same for every cell. Compiled once for each
// instruction set; see `vector.h`.
#include <cstdlib>

#include "batch.h"
#include "cells.h"

namespace backsight::BACKSIGHT_VARIANT {
namespace {

// Steps after which the backward pass adds up the weights' gradient: few enough that a strip of
// slopes is still in the nearest cache, many enough that sums over lanes cost little.
constexpr long CHUNK = 32;

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
    return taken;
  }

  // Every piece begins on a line of the cache.
  static long rounded(long size) { return (size + 15) / 16 * 16; }

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

template <class Cell>
void forward(const Forward& call) {
  const auto& [batch, steps, features, units, width] = call.shape;
  const long depth = (1 + Cell::ROWS.extra) * units + features, rows = Cell::ROWS.rows * units;
  const long saved_size = Cell::ROWS.saved * units * width, panel_size = depth * width, state = units * width;
  const Matrix<Cell> matrix{call.kernel, call.recurrent, units, features};

  Workspace work(Workspace::rounded(rows) + 3 * Workspace::rounded(state) + Cell::PRODUCTS * 16 + rows * depth);
  float* bias = work.take(rows);
  float* carry = work.take(state);
  float* last = work.take(state);
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
    float* panel = call.panel + block * panel_size * (call.keep ? steps : 1);
    float* saved = call.saved + block * saved_size * (call.keep ? steps : 1);
    to_columns(call.hidden + first * units, units, units, here, width, panel);
    if (Cell::ROWS.carries) to_columns(call.carry + first * units, units, units, here, width, carry);
    for (long s = 0; s < steps; ++s) {
      const long t = call.backwards ? steps - 1 - s : s;
      float* next = call.keep ? panel + panel_size : panel;
      float* hidden = s + 1 < steps ? next : last;
      to_columns(call.inputs + (first * steps + t) * features, steps * features, features, here, width,
                 panel + state);
      Cell::forward({units, features, width, weights, bias, panel, saved, carry, hidden});
      if (call.sequences)
        from_columns(hidden, steps * units, units, here, width, call.outputs + (first * steps + s) * units);
      panel = next;
      saved += call.keep ? saved_size : 0;
    }
    if (!call.sequences) from_columns(last, units, units, here, width, call.outputs + first * units);
    if (Cell::ROWS.carries) from_columns(carry, units, units, here, width, call.last_carry + first * units);
  }
}

// Adds the gradient of the matrix, as it was summed up for each product, to the caller's weights.
template <class Cell>
void give_gradient(const Backward& call, const float* sums, const float* bias_sums) {
  const auto& [batch, steps, features, units, width] = call.shape;
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
  const auto& [batch, steps, features, units, width] = call.shape;
  const long depth = (1 + Cell::ROWS.extra) * units + features, rows = Cell::ROWS.rows * units;
  const long saved_size = Cell::ROWS.saved * units * width, panel_size = depth * width, state = units * width;
  const long slopes_size = rows * width;
  const Matrix<Cell> matrix{call.kernel, call.recurrent, units, features};

  Workspace work(Workspace::rounded(rows) + 3 * Workspace::rounded(state) + Workspace::rounded(rows * depth) +
                 Cell::TRANSPOSED * 16 + rows * units);
  float* bias_sums = work.take(rows);
  float* hidden = work.take(state);
  float* carry = work.take(state);
  float* reset = work.take(state);
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
    const float* panel = call.panel + block * panel_size * steps;
    const float* saved = call.saved + block * saved_size * steps;
    float* slopes = call.slopes + block * slopes_size * steps;
    if (call.sequences)
      for (long i = 0; i < state; ++i) hidden[i] = 0.0f;
    else
      to_columns(call.outputs_slope + first * units, units, units, here, width, hidden);
    if (Cell::ROWS.carries) to_columns(call.last_carry_slope + first * units, units, units, here, width, carry);
    for (long end = steps; end > 0; end -= CHUNK) {
      const long begin = end > CHUNK ? end - CHUNK : 0;
      for (long s = end - 1; s >= begin; --s) {
        if (call.sequences)
          add_columns(call.outputs_slope + (first * steps + s) * units, steps * units, units, here, width, hidden);
        Cell::backward({units, features, width, weights, panel + s * panel_size, saved + s * saved_size,
                        slopes + s * slopes_size, hidden, carry, reset});
      }
      const Strip from{panel + begin * panel_size, panel_size}, to{slopes + begin * slopes_size, slopes_size};
      float* sum = sums;
      for (long p = 0; p < Cell::PRODUCTS; ++p) {
        const Product product = Cell::product(p, units, features);
        accumulate({from.first + product.at * width, from.stride}, product.depth,
                   {to.first + product.row * width, to.stride}, product.rows, end - begin, width, sum, product.rows);
        sum += product.depth * product.rows;
      }
      accumulate_rows(to, rows, end - begin, width, bias_sums);
    }
    from_columns(hidden, units, units, here, width, call.hidden_slope + first * units);
    if (Cell::ROWS.carries) from_columns(carry, units, units, here, width, call.carry_slope + first * units);
  }
  give_gradient<Cell>(call, sums, bias_sums);
}

template <class Cell>
void input_gradient(const InputGradient& call) {
  const auto& [batch, steps, features, units, width] = call.shape;
  const long columns = Cell::ROWS.gates * units, rows = Cell::ROWS.rows * units;
  const Matrix<Cell> matrix{call.kernel, nullptr, units, features};
  Workspace work(Workspace::rounded(features * width) + features * columns);
  float* slope = work.take(features * width);
  const Packed weights = pack(
      features, columns, [&](long k, long r) { return matrix(r, units + k); }, work.take(features * columns));
  for (long block = 0; block < call.shape.blocks(); ++block) {
    const long first = block * width, here = batch - first < width ? batch - first : width;
    for (long s = 0; s < steps; ++s) {
      const long t = call.backwards ? steps - 1 - s : s;
      multiply(weights, call.slopes + (block * steps + s) * rows * width, width, nullptr, slope);
      from_columns(slope, steps * features, features, here, width,
                   call.inputs_slope + (first * steps + t) * features);
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
