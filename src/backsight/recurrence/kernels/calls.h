// What a kernel is asked to do: the shapes, the arrays, and who answers.
//
// Arrays of the caller are in C order, as Keras has them: inputs (batch, steps, features), states
// (batch, units), kernel (features, gates x units), recurrent kernel (units, gates x units), gradients
// alike. Arrays that only the kernels read have the batch innermost, cut into blocks of `width`
// windows, so that a weight is one number against a whole vector of windows:
//   panel (blocks, steps + 1, depth, width)  what each step multiplies: hidden state before it, its
//                                        inputs, and in a GRU without reset_after the reset state; the
//                                        last has only the state after the last step
//   saved (blocks, steps, saved, width)  gates and states that the backward pass wants to see again. It
//                                        puts the gradient of the loss with respect to the rows of the
//                                        product ("slopes") in their place, in the first rows of each step:
//                                        what is in the nearest cache is written again, and nothing else
#pragma once

namespace backsight {

enum class CellName : long { simple_rnn, lstm, gru, gru_reset_before };
constexpr long CELLS = 4;

enum class Activation : long { tanh, relu, linear, sigmoid };
constexpr long ACTIVATIONS = 4;

constexpr long COLUMNS_A_SHARE = 16, MOST_SHARES = 16;

struct Shape {
  long batch, steps, features, units;
  long width;       // windows a block: a multiple of 16
  long panel_rows;  // rows of a step in panel and in saved: at least as many as it needs. Steps that lie a
  long saved_rows;  // power of two apart would drive each other out of the cache; see `fused.py`

  long blocks() const { return (batch + width - 1) / width; }

  // A call is dealt out in shares: parts of the only block, or runs of whole blocks. Each has sums of its own, which
  // are added up in one order, so that results do not depend on how many threads there are.
  long shares() const {
    const long all = blocks();
    return all == 1 ? width / COLUMNS_A_SHARE : all < MOST_SHARES ? all : MOST_SHARES;
  }
};

struct Forward {
  Shape shape;
  bool backwards;  // read the window from its end
  bool sequences;  // give the outputs of all steps, (batch, steps, units), or of the last, (batch, units)
  bool keep;       // keep `saved` of all steps for the backward pass, or of one step only
  const float *inputs, *hidden, *carry, *kernel, *recurrent, *bias;
  float *outputs, *last_carry, *panel, *saved;
};

struct Backward {
  Shape shape;
  bool sequences;
  const float *outputs_slope, *last_carry_slope, *panel, *kernel, *recurrent;
  float *saved;  // becomes the slopes
  float *hidden_slope, *carry_slope, *kernel_slope, *recurrent_slope, *bias_slope;
};

struct InputGradient {
  Shape shape;
  bool backwards;
  const float *slopes, *kernel;
  float* inputs_slope;
};

// One step of Adam on one array of weights (Kingma and Ba 2015, ICLR), as Keras has it: its epsilon is
// Adam's with a hat, and `rate` is the learning rate after the correction of both moments.
struct AdamStep {
  long size;
  float rate, fade_first, fade_second, epsilon;  // fade: how much of the new gradient comes into a moment
  const float *slope, *weights_before, *first_before, *second_before;
  float *weights, *first, *second;  // may be the arrays before
};

// The rows that a cell keeps for each unit, so that the arrays above can be made.
struct Rows {
  long gates;   // blocks of columns in kernel and recurrent kernel
  long biases;  // numbers a unit in the bias: GRU with reset_after has two rows of three
  long rows;    // rows of the product at each step
  long saved;
  long extra;   // rows of the panel beside hidden state and inputs
  long carries; // states beside the hidden one
};

// One copy of the kernels, for one instruction set.
struct Variant {
  const char* name;
  void (*forward[CELLS][ACTIVATIONS])(const Forward&);
  void (*backward[CELLS][ACTIVATIONS])(const Backward&);
  void (*input_gradient[CELLS])(const InputGradient&);
  void (*adam)(const AdamStep&);
  Rows rows[CELLS];
};

}  // namespace backsight
