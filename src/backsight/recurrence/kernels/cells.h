// The cells: for each, where its weights stand and what happens in one step, forward and backward.
//
// `forward` finds this step's rows of the panel and leaves what the backward pass needs in `saved`: the
// matrix product is written there and becomes the gates in place. `backward` turns the slope of the
// hidden state after the step into the slope before it, and puts the slopes of the product's rows where the
// gates were.
// Formulas and order of the gates are those of `backsight.recurrence.reference`.
#pragma once
#include "product.h"

namespace backsight::BACKSIGHT_VARIANT {

// Rows `row .. row + rows` of the product take rows `at .. at + depth` of the panel.
struct Product {
  long row, rows, at, depth;
};

// Columns of the caller's weights that make up one row of the product; -1: none.
struct Source {
  long kernel, recurrent, bias, second_bias;
};

struct ForwardStep {
  long units, features;
  Span span;
  const Packed* weights;  // one for each product
  const float* bias;      // one for each row
  float *panel, *saved, *carry;
  float* hidden;  // where the state after this step goes; may be the panel's own
};

struct BackwardStep {
  long units, features;
  Span span;
  const Packed* weights;  // one for each transposed product
  const float* panel;
  float *saved, *hidden, *carry, *reset;
};

template <Activation A>
struct SimpleRnn {
  static constexpr Rows ROWS{1, 1, 1, 1, 0, 0};
  static constexpr long PRODUCTS = 1, TRANSPOSED = 1;
  static Product product(long, long u, long f) { return {0, u, 0, u + f}; }
  static Product transposed(long, long u, long) { return {0, u, 0, u}; }
  static Source source(long row, long) { return {row, row, row, -1}; }

  static void forward(const ForwardStep& s) {
    multiply(s.weights[0], s.panel, s.span, s.bias, s.saved);
    each_vector(s.units, s.span, [&](long at) BACKSIGHT_INLINED {
      const Vector h = activate<A>(load(s.saved + at));
      store(s.saved + at, h);
      store(s.hidden + at, h);
    });
  }

  static void backward(const BackwardStep& s) {
    each_vector(s.units, s.span, [&](long at) BACKSIGHT_INLINED {
      store(s.saved + at, load(s.hidden + at) * slope<A>(load(s.saved + at)));
    });
    multiply(s.weights[0], s.saved, s.span, nullptr, s.hidden);
  }
};

// Rows of the product: input, forget, candidate, output gate. Saved beside them: the carry before the
// step, and the activation of the carry after it.
template <Activation A>
struct Lstm {
  static constexpr Rows ROWS{4, 4, 4, 6, 0, 1};
  static constexpr long PRODUCTS = 1, TRANSPOSED = 1;
  static Product product(long, long u, long f) { return {0, 4 * u, 0, u + f}; }
  static Product transposed(long, long u, long) { return {0, 4 * u, 0, u}; }
  static Source source(long row, long) { return {row, row, row, -1}; }

  static void forward(const ForwardStep& s) {
    multiply(s.weights[0], s.panel, s.span, s.bias, s.saved);
    const long gate = s.units * s.span.stride;
    each_vector(s.units, s.span, [&](long at) BACKSIGHT_INLINED {
      float* saved = s.saved + at;
      const Vector input = sigmoid(load(saved)), forget = sigmoid(load(saved + gate));
      const Vector candidate = activate<A>(load(saved + 2 * gate)), output = sigmoid(load(saved + 3 * gate));
      const Vector before = load(s.carry + at);
      const Vector carry = forget * before + input * candidate;
      const Vector shown = activate<A>(carry);
      store(saved, input);
      store(saved + gate, forget);
      store(saved + 2 * gate, candidate);
      store(saved + 3 * gate, output);
      store(saved + 4 * gate, before);
      store(saved + 5 * gate, shown);
      store(s.carry + at, carry);
      store(s.hidden + at, output * shown);
    });
  }

  static void backward(const BackwardStep& s) {
    const long gate = s.units * s.span.stride;
    each_vector(s.units, s.span, [&](long at) BACKSIGHT_INLINED {
      float* saved = s.saved + at;
      const Vector input = load(saved), forget = load(saved + gate);
      const Vector candidate = load(saved + 2 * gate), output = load(saved + 3 * gate);
      const Vector before = load(saved + 4 * gate), shown = load(saved + 5 * gate);
      const Vector hidden = load(s.hidden + at);
      const Vector carry = load(s.carry + at) + hidden * output * slope<A>(shown);
      store(saved, carry * candidate * slope<Activation::sigmoid>(input));
      store(saved + gate, carry * before * slope<Activation::sigmoid>(forget));
      store(saved + 2 * gate, carry * input * slope<A>(candidate));
      store(saved + 3 * gate, hidden * shown * slope<Activation::sigmoid>(output));
      store(s.carry + at, carry * forget);
    });
    multiply(s.weights[0], s.saved, s.span, nullptr, s.hidden);
  }
};

// GRU with reset_after. Rows of the product: candidate's inputs, update gate, reset gate, candidate's
// state. The candidate's two parts are apart, since the reset gate comes between them; in this order
// the rows that read the inputs, and those that read the state, each stand together.
template <Activation A>
struct Gru {
  static constexpr Rows ROWS{3, 6, 4, 4, 0, 0};
  static constexpr long PRODUCTS = 3, TRANSPOSED = 1;
  static Product product(long which, long u, long f) {
    return which == 0 ? Product{0, u, u, f} : which == 1 ? Product{u, 2 * u, 0, u + f} : Product{3 * u, u, 0, u};
  }
  static Product transposed(long, long u, long) { return {u, 3 * u, 0, u}; }
  static Source source(long row, long u) {
    if (row < u) return {2 * u + row, -1, 2 * u + row, -1};
    if (row < 3 * u) return {row - u, row - u, row - u, 2 * u + row};
    return {-1, row - u, 2 * u + row, -1};
  }

  static void forward(const ForwardStep& s) {
    const long gate = s.units * s.span.stride;
    multiply(s.weights[0], s.panel + gate, s.span, s.bias, s.saved);
    multiply(s.weights[1], s.panel, s.span, s.bias + s.units, s.saved + gate);
    multiply(s.weights[2], s.panel, s.span, s.bias + 3 * s.units, s.saved + 3 * gate);
    each_vector(s.units, s.span, [&](long at) BACKSIGHT_INLINED {
      float* saved = s.saved + at;
      const Vector update = sigmoid(load(saved + gate)), reset = sigmoid(load(saved + 2 * gate));
      const Vector candidate = activate<A>(load(saved) + reset * load(saved + 3 * gate));
      const Vector before = load(s.panel + at);
      store(saved, candidate);
      store(saved + gate, update);
      store(saved + 2 * gate, reset);
      store(s.hidden + at, update * before + (1.0f - update) * candidate);
    });
  }

  static void backward(const BackwardStep& s) {
    const long gate = s.units * s.span.stride;
    each_vector(s.units, s.span, [&](long at) BACKSIGHT_INLINED {
      float* saved = s.saved + at;
      const Vector candidate = load(saved), update = load(saved + gate), reset = load(saved + 2 * gate);
      const Vector hidden = load(s.hidden + at), before = load(s.panel + at), state = load(saved + 3 * gate);
      const Vector inner = hidden * (1.0f - update) * slope<A>(candidate);
      store(saved, inner);
      store(saved + gate, hidden * (before - candidate) * slope<Activation::sigmoid>(update));
      store(saved + 2 * gate, inner * state * slope<Activation::sigmoid>(reset));
      store(saved + 3 * gate, inner * reset);
      store(s.hidden + at, hidden * update);
    });
    multiply_add(s.weights[0], s.saved + gate, s.span, s.hidden);
  }
};

// GRU without reset_after: the reset gate meets the state before the product, so the candidate's rows
// wait for the gates. The reset state is a third part of the panel. Rows: update, reset, candidate.
template <Activation A>
struct GruResetBefore {
  static constexpr Rows ROWS{3, 3, 3, 3, 1, 0};
  static constexpr long PRODUCTS = 2, TRANSPOSED = 2;
  static Product product(long which, long u, long f) {
    return which == 0 ? Product{0, 2 * u, 0, u + f} : Product{2 * u, u, u, f + u};
  }
  static Product transposed(long which, long u, long f) {
    return which == 0 ? Product{2 * u, u, u + f, u} : Product{0, 2 * u, 0, u};
  }
  static Source source(long row, long) { return {row, row, row, -1}; }

  static void forward(const ForwardStep& s) {
    const long gate = s.units * s.span.stride;
    float* reset_state = s.panel + (s.units + s.features) * s.span.stride;
    multiply(s.weights[0], s.panel, s.span, s.bias, s.saved);
    each_vector(s.units, s.span, [&](long at) BACKSIGHT_INLINED {
      const Vector reset = sigmoid(load(s.saved + gate + at));
      store(s.saved + at, sigmoid(load(s.saved + at)));
      store(s.saved + gate + at, reset);
      store(reset_state + at, reset * load(s.panel + at));
    });
    multiply(s.weights[1], s.panel + gate, s.span, s.bias + 2 * s.units,
             s.saved + 2 * gate);
    each_vector(s.units, s.span, [&](long at) BACKSIGHT_INLINED {
      const Vector candidate = activate<A>(load(s.saved + 2 * gate + at)), update = load(s.saved + at);
      store(s.saved + 2 * gate + at, candidate);
      store(s.hidden + at, update * load(s.panel + at) + (1.0f - update) * candidate);
    });
  }

  static void backward(const BackwardStep& s) {
    const long gate = s.units * s.span.stride;
    each_vector(s.units, s.span, [&](long at) BACKSIGHT_INLINED {
      const Vector update = load(s.saved + at), candidate = load(s.saved + 2 * gate + at);
      const Vector hidden = load(s.hidden + at), before = load(s.panel + at);
      store(s.saved + at, hidden * (before - candidate) * slope<Activation::sigmoid>(update));
      store(s.saved + 2 * gate + at, hidden * (1.0f - update) * slope<A>(candidate));
      store(s.hidden + at, hidden * update);
    });
    multiply(s.weights[0], s.saved + 2 * gate, s.span, nullptr, s.reset);
    each_vector(s.units, s.span, [&](long at) BACKSIGHT_INLINED {
      const Vector reset = load(s.saved + gate + at), state = load(s.reset + at);
      store(s.saved + gate + at, state * load(s.panel + at) * slope<Activation::sigmoid>(reset));
      store(s.hidden + at, load(s.hidden + at) + state * reset);
    });
    multiply_add(s.weights[1], s.saved, s.span, s.hidden);
  }
};

}  // namespace backsight::BACKSIGHT_VARIANT
