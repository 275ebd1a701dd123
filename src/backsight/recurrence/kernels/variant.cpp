// The loops over blocks of windows and over steps, the same for every cell. Compiled once for each
// instruction set; see `vector.h`.
#include <cstdlib>
#ifdef BACKSIGHT_SANITIZE
#include <sanitizer/asan_interface.h>
#endif

#include "cells.h"
#include "crew.h"

namespace backsight::BACKSIGHT_VARIANT {
namespace {

// For tests/kernels/sanitize.cpp: numbers after each piece of working memory that nobody may touch, and
// NaN in the piece until it is written.
#ifdef BACKSIGHT_SANITIZE
constexpr long GAP = 1, WORTH_SHARING = 0;
void guard(float* piece, long size, const float* end) {
  ASAN_UNPOISON_MEMORY_REGION(piece, 4 * size);
  for (long i = 0; i < size; ++i) piece[i] = __builtin_nanf("");
  ASAN_POISON_MEMORY_REGION(piece + size, 4 * (end - piece - size));
}
#else
// Multiplications of a call that other threads are called for: one that is over within two microseconds is done
// sooner than handed over.
constexpr long GAP = 0, WORTH_SHARING = 65'536;
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

// Columns of one block that a thread works on together, and the shares that they belong to.
struct Part {
  long block, first_column, columns, first_share, shares;
};

// Calls `work(place, part)` for every part of every share, on as many threads as have nothing else to do.
template <class Work>
void deal_parts(const Shape& shape, long threads, Work work) {
  struct Dealt {
    const Shape& shape;
    const Work& work;
  } dealt{shape, work};
  deal(
      threads, shape.shares(),
      [](void* context, long place, long begin, long end) {
        const Shape& shape = static_cast<Dealt*>(context)->shape;
        const Work& work = static_cast<Dealt*>(context)->work;
        const long blocks = shape.blocks(), shares = shape.shares();
        if (blocks == 1)  // both halves together: a weight that was loaded meets all their windows
          return work(place, Part{0, begin * COLUMNS_A_SHARE, (end - begin) * COLUMNS_A_SHARE, begin, end - begin});
        for (long share = begin; share < end; ++share)
          for (long block = blocks * share / shares; block < blocks * (share + 1) / shares; ++block)
            work(place, Part{block, 0, shape.width, share, 1});
      },
      &dealt);
}

// What the loops below need to know of a call again and again.
template <class Cell>
struct Sizes {
  long batch, steps, features, units;
  long depth, rows;                         // of the panel and of the product, at each step
  long width, state, panel_step, saved_step;  // numbers in a row, in a state of a block, in a step of panel and saved

  explicit Sizes(const Shape& s)
      : batch(s.batch), steps(s.steps), features(s.features), units(s.units),
        depth((1 + Cell::ROWS.extra) * units + features), rows(Cell::ROWS.rows * units), width(s.width),
        state(units * width), panel_step(s.panel_rows * width), saved_step(s.saved_rows * width) {}

  long gather_threads(const Shape& shape) const {
    return gather(batch * steps * rows * depth < WORTH_SHARING ? 1 : shape.shares());
  }

  // The first window of a part, and how many of its columns are windows.
  long first(const Part& part) const { return part.block * width + part.first_column; }
  long windows(const Part& part) const {
    const long left = batch - first(part);
    return left < 0 ? 0 : left < part.columns ? left : part.columns;
  }
  Span span(const Part& part) const { return {part.columns, width}; }

  // A state of each window, (batch, units), and the same with the batch innermost.
  void to_block(const float* from, const Part& part, float* to) const {
    to_columns(from + first(part) * units, units, units, windows(part), part.columns, {to, units, 0, width});
  }
  void from_block(const float* from, const Part& part, float* to) const {
    from_columns({from, units, 0, width}, units, windows(part), to + first(part) * units, units);
  }
};

template <class Cell>
void forward(const Forward& call) {
  const Sizes<Cell> n(call.shape);
  const Matrix<Cell> matrix{call.kernel, call.recurrent, n.units, n.features};
  const long threads = n.gather_threads(call.shape);

  Workspace work(Workspace::rounded(n.rows) + threads * Workspace::rounded(n.state) + Cell::PRODUCTS * 16 +
                 n.rows * n.depth);
  float* bias = work.take(n.rows);
  float* carries[MOST_SHARES];
  for (long t = 0; t < threads; ++t) carries[t] = work.take(n.state);
  for (long r = 0; r < n.rows; ++r) {
    const Source source = Cell::source(r, n.units);
    bias[r] = call.bias[source.bias] + (source.second_bias < 0 ? 0.0f : call.bias[source.second_bias]);
  }
  Packed weights[Cell::PRODUCTS];
  for (long p = 0; p < Cell::PRODUCTS; ++p) {
    const Product product = Cell::product(p, n.units, n.features);
    weights[p] = pack(
        product.rows, product.depth, [&](long r, long k) { return matrix(product.row + r, product.at + k); },
        work.take(product.rows * product.depth));
  }

  deal_parts(call.shape, threads, [&](long place, const Part& part) {
    const Span span = n.span(part);
    const long first = n.first(part), windows = n.windows(part), steps = n.steps;
    float* const panel = call.panel + part.block * n.panel_step * (steps + 1) + part.first_column;
    float* const saved = call.saved + part.block * n.saved_step * (call.keep ? steps : 1) + part.first_column;
    float* const carry = carries[place];
    n.to_block(call.hidden, part, panel);
    if (Cell::ROWS.carries) n.to_block(call.carry, part, carry);
    float* const inputs = panel + n.state;
    to_columns(call.inputs + first * steps * n.features, steps * n.features, steps * n.features, windows, part.columns,
               call.backwards
                   ? RowsOfSteps<float>{inputs + (steps - 1) * n.panel_step, n.features, -n.panel_step, n.width}
                   : RowsOfSteps<float>{inputs, n.features, n.panel_step, n.width});
    for (long s = 0; s < steps; ++s)
      Cell::forward({n.units, n.features, span, weights, bias, panel + s * n.panel_step,
                     saved + (call.keep ? s * n.saved_step : 0), carry, panel + (s + 1) * n.panel_step});
    if (call.sequences)
      from_columns({panel + n.panel_step, n.units, n.panel_step, n.width}, steps * n.units, windows,
                   call.outputs + first * steps * n.units, steps * n.units);
    else
      n.from_block(panel + steps * n.panel_step, part, call.outputs);
    if (Cell::ROWS.carries) n.from_block(carry, part, call.last_carry);
  });
}

// Puts the gradient of the matrix, as it was summed up for each product, where the caller's weights are.
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

// Working memory of one thread of the backward pass.
struct Slopes {
  float *hidden, *carry, *reset, *outputs;
};

// Gradients of the matrix and of the bias, summed over one share.
struct Sums {
  float *matrix, *bias;
};

// Adds up the gradient of the weights over some steps of one share.
template <class Cell>
void add_up(const Sizes<Cell>& n, Span span, Strip panel, Strip slopes, long steps, const Sums& sums) {
  float* sum = sums.matrix;
  for (long p = 0; p < Cell::PRODUCTS; ++p) {
    const Product product = Cell::product(p, n.units, n.features);
    accumulate({panel.first + product.at * n.width, panel.step}, product.depth,
               {slopes.first + product.row * n.width, slopes.step}, product.rows, steps, span, sum, product.rows);
    sum += product.depth * product.rows;
  }
  accumulate_rows<8>(slopes, n.rows, steps, span, sums.bias);
}

// The backward pass of one part, and the gradient of the weights over each of its shares.
template <class Cell>
void backward_part(const Backward& call, const Sizes<Cell>& n, const Packed* weights, const Slopes& work,
                   const Part& part, const Sums* sums_of) {
  float *const hidden = work.hidden, *const carry = work.carry, *const outputs_slope = work.outputs;
  const Span span = n.span(part);
  const long first = n.first(part), windows = n.windows(part), steps = n.steps;
  const float* panel = call.panel + part.block * n.panel_step * (steps + 1) + part.first_column;
  float* const saved = call.saved + part.block * n.saved_step * steps + part.first_column;
  if (call.sequences)
    for (long i = 0; i < n.state; ++i) hidden[i] = 0.0f;
  else
    n.to_block(call.outputs_slope, part, hidden);
  if (Cell::ROWS.carries) n.to_block(call.last_carry_slope, part, carry);
  for (long end = steps; end > 0; end -= CHUNK) {
    const long begin = end > CHUNK ? end - CHUNK : 0;
    for (long s = end - 1; s >= begin; --s) {
      if (call.sequences) {
        const long at = s % AT_ONCE, together = s - at;
        if (at == AT_ONCE - 1 || s == steps - 1)
          to_columns(call.outputs_slope + (first * steps + together) * n.units, steps * n.units, (at + 1) * n.units,
                     windows, part.columns, {outputs_slope, n.units, n.state, n.width});
        each_vector(n.units, span, [&](long i) BACKSIGHT_INLINED {
          store(hidden + i, load(hidden + i) + load(outputs_slope + at * n.state + i));
        });
      }
      Cell::backward({n.units, n.features, span, weights, panel + s * n.panel_step, saved + s * n.saved_step, hidden,
                      carry, work.reset});
    }
    const long columns = part.columns / part.shares;
    for (long share = 0; share < part.shares; ++share)
      add_up<Cell>(n, {columns, n.width}, {panel + begin * n.panel_step + share * columns, n.panel_step},
                   {saved + begin * n.saved_step + share * columns, n.saved_step}, end - begin,
                   sums_of[part.first_share + share]);
  }
  n.from_block(hidden, part, call.hidden_slope);
  if (Cell::ROWS.carries) n.from_block(carry, part, call.carry_slope);
}

template <class Cell>
void backward(const Backward& call) {
  const Sizes<Cell> n(call.shape);
  const Matrix<Cell> matrix{call.kernel, call.recurrent, n.units, n.features};
  const long shares = call.shape.shares(), threads = n.gather_threads(call.shape);
  const long in_matrix = n.rows * n.depth;

  Workspace work(shares * (Workspace::rounded(in_matrix) + Workspace::rounded(n.rows)) +
                 threads * (3 + AT_ONCE) * Workspace::rounded(n.state) + Cell::TRANSPOSED * 16 + n.rows * n.units);
  Slopes slopes_of[MOST_SHARES];
  for (long t = 0; t < threads; ++t)
    slopes_of[t] = {work.take(n.state), work.take(n.state), work.take(n.state), work.take(AT_ONCE * n.state)};
  Sums sums_of[MOST_SHARES];
  for (long s = 0; s < shares; ++s) {
    sums_of[s] = {work.take(in_matrix), work.take(n.rows)};
    for (long i = 0; i < in_matrix; ++i) sums_of[s].matrix[i] = 0.0f;
    for (long i = 0; i < n.rows; ++i) sums_of[s].bias[i] = 0.0f;
  }
  Packed weights[Cell::TRANSPOSED];
  for (long p = 0; p < Cell::TRANSPOSED; ++p) {
    const Product product = Cell::transposed(p, n.units, n.features);
    weights[p] = pack(
        product.depth, product.rows, [&](long k, long r) { return matrix(product.row + r, product.at + k); },
        work.take(product.rows * product.depth));
  }

  deal_parts(call.shape, threads, [&](long place, const Part& part) {
    backward_part<Cell>(call, n, weights, slopes_of[place], part, sums_of);
  });
  for (long s = 1; s < shares; ++s) {
    for (long i = 0; i < in_matrix; ++i) sums_of[0].matrix[i] += sums_of[s].matrix[i];
    for (long i = 0; i < n.rows; ++i) sums_of[0].bias[i] += sums_of[s].bias[i];
  }
  give_gradient<Cell>(call, sums_of[0].matrix, sums_of[0].bias);
}

template <class Cell>
void input_gradient(const InputGradient& call) {
  const Sizes<Cell> n(call.shape);
  const long columns = Cell::ROWS.gates * n.units, threads = n.gather_threads(call.shape);
  const Matrix<Cell> matrix{call.kernel, nullptr, n.units, n.features};
  const long together = AT_ONCE * n.features * n.width;
  Workspace work(threads * Workspace::rounded(together) + n.features * columns);
  float* found_of[MOST_SHARES];
  for (long t = 0; t < threads; ++t) found_of[t] = work.take(together);
  const Packed weights = pack(
      n.features, columns, [&](long k, long r) { return matrix(r, n.units + k); }, work.take(n.features * columns));
  deal_parts(call.shape, threads, [&](long place, const Part& part) {
    float* const found = found_of[place];
    const float* slopes = call.slopes + part.block * n.steps * n.saved_step + part.first_column;
    for (long begin = 0; begin < n.steps; begin += AT_ONCE) {
      const long end = begin + AT_ONCE < n.steps ? begin + AT_ONCE : n.steps;
      for (long t = begin; t < end; ++t) {
        const long s = call.backwards ? n.steps - 1 - t : t;
        multiply(weights, slopes + s * n.saved_step, n.span(part), nullptr,
                 found + (t - begin) * n.features * n.width);
      }
      from_columns({found, n.features, n.features * n.width, n.width}, (end - begin) * n.features, n.windows(part),
                   call.inputs_slope + (n.first(part) * n.steps + begin) * n.features, n.steps * n.features);
    }
  });
}

void adam(const AdamStep& call) {
  const auto step = [&](Vector slope, Vector& weights, Vector& first, Vector& second) {
    first += (slope - first) * call.fade_first;
    second += (slope * slope - second) * call.fade_second;
    weights -= first * call.rate / (square_root(second) + call.epsilon);
  };
  long i = 0;
  for (; i + LANES <= call.size; i += LANES) {
    Vector weights = load(call.weights_before + i), first = load(call.first_before + i);
    Vector second = load(call.second_before + i);
    step(load(call.slope + i), weights, first, second);
    store(call.weights + i, weights);
    store(call.first + i, first);
    store(call.second + i, second);
  }
  Vector slope = {}, weights = {}, first = {}, second = {};
  for (long l = 0; i + l < call.size; ++l) {
    slope[l] = call.slope[i + l], weights[l] = call.weights_before[i + l];
    first[l] = call.first_before[i + l], second[l] = call.second_before[i + l];
  }
  step(slope, weights, first, second);
  for (long l = 0; i + l < call.size; ++l)
    call.weights[i + l] = weights[l], call.first[i + l] = first[l], call.second[i + l] = second[l];
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
    adam,
    {SimpleRnn<ANY>::ROWS, Lstm<ANY>::ROWS, Gru<ANY>::ROWS, GruResetBefore<ANY>::ROWS},
};

}  // namespace backsight::BACKSIGHT_VARIANT
