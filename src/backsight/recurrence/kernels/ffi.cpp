// The door to XLA: decodes a call, picks the copy of the kernels for this processor, and hands over.
#include <cstdlib>
#include <cstring>

#include "copies.h"
#include "crew.h"
#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

namespace backsight {

namespace {

// The widest copy that runs here, or the one that BACKSIGHT_VECTORS names, if it does.
const Variant& choose() {
  const char* wish = std::getenv("BACKSIGHT_VECTORS");
  if (wish)
    for (const Variant* copy : COPIES)
      if (!std::strcmp(copy->name, wish) && runs_here(copy->name)) return *copy;
  for (const Variant* copy : COPIES)
    if (runs_here(copy->name)) return *copy;
  return plain::VARIANT;
}

const Variant& chosen() {
  static const Variant& variant = choose();
  return variant;
}

template <size_t rank>
using Array = ffi::Buffer<ffi::F32, rank>;
template <size_t rank>
using Result = ffi::ResultBuffer<ffi::F32, rank>;
// (batch, steps, units) or (batch, units)
using Outputs = ffi::Buffer<ffi::F32>;

using Sizes = ffi::Span<const int64_t>;

// From `windows`, (batch, steps, features), and the dimensions of panel and saved.
Shape shape_of(Sizes windows, int64_t units, Sizes panel, Sizes saved) {
  return {static_cast<long>(windows[0]), static_cast<long>(windows[1]), static_cast<long>(windows[2]),
          static_cast<long>(units),      static_cast<long>(saved[3]),   static_cast<long>(panel[2]),
          static_cast<long>(saved[2])};
}

ffi::Error run_forward(Array<3> inputs, Array<2> hidden, Array<2> carry, Array<2> kernel, Array<2> recurrent,
                       Array<1> bias, ffi::Result<Outputs> outputs, Result<2> last_carry, Result<4> panel,
                       Result<4> saved, int64_t cell, int64_t activation, bool backwards, bool sequences,
                       bool keep) {
  chosen().forward[cell][activation](
      {shape_of(inputs.dimensions(), recurrent.dimensions()[0], panel->dimensions(), saved->dimensions()), backwards,
       sequences, keep, inputs.typed_data(), hidden.typed_data(), carry.typed_data(), kernel.typed_data(),
       recurrent.typed_data(), bias.typed_data(), outputs->typed_data(), last_carry->typed_data(), panel->typed_data(),
       saved->typed_data()});
  return ffi::Error::Success();
}

// `slopes` is the memory of `saved`.
ffi::Error run_backward(Outputs outputs_slope, Array<2> last_carry_slope, Array<4> panel, Array<4> saved,
                        Array<2> kernel, Array<2> recurrent, Result<2> hidden_slope, Result<2> carry_slope,
                        Result<2> kernel_slope, Result<2> recurrent_slope, Result<1> bias_slope, Result<4> slopes,
                        int64_t cell, int64_t activation, bool sequences) {
  const int64_t windows[] = {hidden_slope->dimensions()[0], saved.dimensions()[1], kernel.dimensions()[0]};
  chosen().backward[cell][activation](
      {shape_of({windows, 3}, recurrent.dimensions()[0], panel.dimensions(), saved.dimensions()), sequences,
       outputs_slope.typed_data(), last_carry_slope.typed_data(), panel.typed_data(), kernel.typed_data(),
       recurrent.typed_data(), slopes->typed_data(), hidden_slope->typed_data(), carry_slope->typed_data(),
       kernel_slope->typed_data(), recurrent_slope->typed_data(), bias_slope->typed_data()});
  return ffi::Error::Success();
}

ffi::Error run_input_gradient(Array<4> slopes, Array<2> kernel, Result<3> inputs_slope, int64_t cell,
                              bool backwards) {
  const int64_t units = kernel.dimensions()[1] / chosen().rows[cell].gates;
  chosen().input_gradient[cell](
      {shape_of(inputs_slope->dimensions(), units, slopes.dimensions(), slopes.dimensions()), backwards,
       slopes.typed_data(), kernel.typed_data(), inputs_slope->typed_data()});
  return ffi::Error::Success();
}

// Arguments: gradients, weights, first and second moments, as many of each; results: all but the gradients.
ffi::Error run_adam(Array<0> rate, ffi::RemainingArgs before, ffi::RemainingRets after,
                    float fade_first, float fade_second, float epsilon) {
  const size_t arrays = before.size() / 4;
  const auto from = [&](size_t kind, size_t i) {
    return before.get<ffi::Buffer<ffi::F32>>(kind * arrays + i).value();
  };
  const auto to = [&](size_t kind, size_t i) {
    return after.get<ffi::Buffer<ffi::F32>>(kind * arrays + i).value()->typed_data();
  };
  for (size_t i = 0; i < arrays; ++i)
    chosen().adam({static_cast<long>(from(0, i).element_count()), rate.typed_data()[0], fade_first, fade_second,
                   epsilon, from(0, i).typed_data(), from(1, i).typed_data(), from(2, i).typed_data(),
                   from(3, i).typed_data(), to(0, i), to(1, i), to(2, i)});
  return ffi::Error::Success();
}

}  // namespace
}  // namespace backsight

using backsight::Array;
using backsight::Outputs;

XLA_FFI_DEFINE_HANDLER_SYMBOL(backsight_forward, backsight::run_forward,
                              ffi::Ffi::Bind()
                                  .Arg<Array<3>>()  // inputs (batch, steps, features)
                                  .Arg<Array<2>>()  // hidden (batch, units)
                                  .Arg<Array<2>>()  // carry (batch, units), or (batch, 0)
                                  .Arg<Array<2>>()  // kernel (features, gates x units)
                                  .Arg<Array<2>>()  // recurrent kernel (units, gates x units)
                                  .Arg<Array<1>>()  // bias (biases x units)
                                  .Ret<Outputs>()   // outputs
                                  .Ret<Array<2>>()  // carry after the last step
                                  .Ret<Array<4>>()  // panel
                                  .Ret<Array<4>>()  // saved
                                  .Attr<int64_t>("cell")
                                  .Attr<int64_t>("activation")
                                  .Attr<bool>("backwards")
                                  .Attr<bool>("sequences")
                                  .Attr<bool>("keep"));

XLA_FFI_DEFINE_HANDLER_SYMBOL(backsight_backward, backsight::run_backward,
                              ffi::Ffi::Bind()
                                  .Arg<Outputs>()   // slope of the outputs
                                  .Arg<Array<2>>()  // slope of the last carry
                                  .Arg<Array<4>>()  // panel
                                  .Arg<Array<4>>()  // saved
                                  .Arg<Array<2>>()  // kernel
                                  .Arg<Array<2>>()  // recurrent kernel
                                  .Ret<Array<2>>()  // slope of the first hidden state
                                  .Ret<Array<2>>()  // slope of the first carry
                                  .Ret<Array<2>>()  // slope of the kernel
                                  .Ret<Array<2>>()  // slope of the recurrent kernel
                                  .Ret<Array<1>>()  // slope of the bias
                                  .Ret<Array<4>>()  // slopes of the product's rows, in the memory of `saved`
                                  .Attr<int64_t>("cell")
                                  .Attr<int64_t>("activation")
                                  .Attr<bool>("sequences"));

// Apart from the rest, so that XLA drops it where nobody asks for the gradient of the inputs.
XLA_FFI_DEFINE_HANDLER_SYMBOL(backsight_input_gradient, backsight::run_input_gradient,
                              ffi::Ffi::Bind()
                                  .Arg<Array<4>>()  // slopes of the product's rows
                                  .Arg<Array<2>>()  // kernel
                                  .Ret<Array<3>>()  // slope of the inputs
                                  .Attr<int64_t>("cell")
                                  .Attr<bool>("backwards"));

XLA_FFI_DEFINE_HANDLER_SYMBOL(backsight_adam, backsight::run_adam,
                              ffi::Ffi::Bind()
                                  .Arg<Array<0>>()  // rate
                                  .RemainingArgs()
                                  .RemainingRets()
                                  .Attr<float>("fade_first")
                                  .Attr<float>("fade_second")
                                  .Attr<float>("epsilon"));

extern "C" const char* backsight_vectors() { return backsight::chosen().name; }

extern "C" const backsight::Rows* backsight_rows(long cell) { return &backsight::chosen().rows[cell]; }

extern "C" void backsight_count_trainings(long change) { backsight::count_trainings(change); }
