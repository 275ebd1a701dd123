// Every kernel of every copy that this processor runs, on arrays that end where they must, under
// AddressSanitizer and UndefinedBehaviorSanitizer: `make sanitize`.
//
// The arrays are apart on the heap, so that a number read or written beyond one is seen; results are NaN
// before the call, so that one left out is seen too. What the numbers should be is asked of the copies
// among themselves and of finite differences; tests/test_recurrence.py compares them with Keras.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "copies.h"
#include "crew.h"
#ifdef BACKSIGHT_FORKS
#include <sys/wait.h>
#include <unistd.h>
#endif

namespace {

using namespace backsight;

const char* const CELL_NAMES[] = {"simple_rnn", "lstm", "gru", "gru_reset_before"};
const char* const ACTIVATION_NAMES[] = {"tanh", "relu", "linear", "sigmoid"};

using Random = std::mt19937;

long draw(Random& random, long low, long high) { return low + static_cast<long>(random() % (high - low + 1)); }

// Exactly `size` numbers of their own on the heap.
class Floats {
 public:
  explicit Floats(long size) : size_(size), memory_(new float[size]) { std::fill(begin(), end(), NAN); }
  Floats(long size, Random& random, float scale) : Floats(size) {
    for (float& value : *this) value = scale * (2.0f * (random() >> 8) / (1 << 24) - 1.0f);
  }
  Floats(const Floats& other) : Floats(other.size_) { std::copy(other.begin(), other.end(), begin()); }
  Floats(Floats&&) = default;

  float* begin() const { return memory_.get(); }
  float* end() const { return memory_.get() + size_; }
  float* get() const { return memory_.get(); }
  float& operator[](long i) const { return memory_[i]; }
  long size() const { return size_; }

 private:
  long size_;
  std::unique_ptr<float[]> memory_;
};

struct Case {
  long cell, activation;
  Shape shape;
  unsigned seed;
};

struct How {
  const Variant& copy;
  const Case& of;
  bool backwards, sequences;

  const Rows& rows() const { return copy.rows[of.cell]; }

  void fail(const char* what) const {
    const Shape& s = of.shape;
    std::fprintf(stderr,
                 "%s, %s, %s, batch %ld, steps %ld, features %ld, units %ld, backwards %d, sequences %d: %s\n",
                 copy.name, CELL_NAMES[of.cell], ACTIVATION_NAMES[of.activation], s.batch, s.steps, s.features,
                 s.units, backwards, sequences, what);
    std::exit(1);
  }
};

// What the caller of a layer has: inputs, states and weights, or a slope or a direction of each.
struct Arguments {
  Floats inputs, hidden, carry, kernel, recurrent, bias;

  std::vector<const Floats*> all() const { return {&inputs, &hidden, &carry, &kernel, &recurrent, &bias}; }
};

// Weights so small that no state grows from step to step, whatever the activation.
Arguments arguments(const Case& of, Random& random) {
  const auto& [batch, steps, features, units, width, panel_rows, saved_rows] = of.shape;
  const Rows& rows = plain::VARIANT.rows[of.cell];
  const float of_kernel = 1.0f / std::sqrt(static_cast<float>(features));
  const float of_recurrent = 1.0f / std::sqrt(static_cast<float>(units));
  return {Floats(batch * steps * features, random, 1.0f),
          Floats(batch * units, random, 1.0f),
          Floats(batch * units * rows.carries, random, 1.0f),
          Floats(features * rows.gates * units, random, of_kernel),
          Floats(units * rows.gates * units, random, of_recurrent),
          Floats(rows.biases * units, random, 0.5f)};
}

Arguments moved(const Arguments& from, const Arguments& direction, float by) {
  Arguments to = from;
  for (size_t i = 0; i < to.all().size(); ++i)
    for (long k = 0; k < to.all()[i]->size(); ++k) (*to.all()[i])[k] += by * (*direction.all()[i])[k];
  return to;
}

struct Found {
  Floats outputs, last_carry, panel, saved;
};

struct OutputSlopes {
  Floats outputs, last_carry;
};

// Rows of the panel that a step fills; after the last there are no inputs.
long filled(const How& how, long step) {
  const Shape& s = how.of.shape;
  return step < s.steps ? (1 + how.rows().extra) * s.units + s.features : s.units;
}

// Hands over every number of panel and saved that belongs to nobody: the rows beyond those a step needs.
template <class Look>
void spare(const How& how, const Floats& panel, const Floats& saved, Look look) {
  const Shape& s = how.of.shape;
  const auto rest = [&](float* step, long from, long to) {
    for (long i = from * s.width; i < to * s.width; ++i) look(step[i]);
  };
  for (long i = 0, size = s.panel_rows * s.width; i * size < panel.size(); ++i)
    rest(panel.get() + i * size, filled(how, i % (s.steps + 1)), s.panel_rows);
  for (long i = 0, size = s.saved_rows * s.width; i * size < saved.size(); ++i)
    rest(saved.get() + i * size, how.rows().saved * s.units, s.saved_rows);
}

Found forward(const How& how, const Arguments& a, bool keep) {
  const Shape& s = how.of.shape;
  Found found{Floats(s.batch * (how.sequences ? s.steps : 1) * s.units), Floats(a.carry.size()),
              Floats(s.blocks() * (s.steps + 1) * s.panel_rows * s.width),
              Floats(s.blocks() * (keep ? s.steps : 1) * s.saved_rows * s.width)};
  how.copy.forward[how.of.cell][how.of.activation](
      {s, how.backwards, how.sequences, keep, a.inputs.get(), a.hidden.get(), a.carry.get(), a.kernel.get(),
       a.recurrent.get(), a.bias.get(), found.outputs.get(), found.last_carry.get(), found.panel.get(),
       found.saved.get()});
  spare(how, found.panel, found.saved, [&](float& value) {
    if (!std::isnan(value)) how.fail("writes into rows that belong to nobody");
    value = 0.0f;  // as a number among those that are compared
  });
  return found;
}

Arguments backward(const How& how, const Arguments& a, const Found& kept, const OutputSlopes& slopes_in) {
  const Shape& s = how.of.shape;
  Arguments slopes{Floats(a.inputs.size()), Floats(a.hidden.size()),    Floats(a.carry.size()),
                   Floats(a.kernel.size()), Floats(a.recurrent.size()), Floats(a.bias.size())};
  const Floats panel = kept.panel, saved = kept.saved;
  spare(how, panel, saved, [](float& value) { value = NAN; });
  // The state after the last step is not read either.
  for (long block = 0, size = s.panel_rows * s.width; block < s.blocks(); ++block)
    std::fill_n(panel.get() + ((block + 1) * (s.steps + 1) - 1) * size, size, NAN);
  how.copy.backward[how.of.cell][how.of.activation](
      {s, how.sequences, slopes_in.outputs.get(), slopes_in.last_carry.get(), panel.get(), a.kernel.get(),
       a.recurrent.get(), saved.get(), slopes.hidden.get(), slopes.carry.get(), slopes.kernel.get(),
       slopes.recurrent.get(), slopes.bias.get()});
  how.copy.input_gradient[how.of.cell]({s, how.backwards, saved.get(), a.kernel.get(), slopes.inputs.get()});
  spare(how, panel, saved, [&](float& value) {
    if (!std::isnan(value)) how.fail("writes slopes into rows that belong to nobody");
  });
  return slopes;
}

void expect_finite(const How& how, const std::vector<const Floats*>& arrays, const char* what) {
  for (const Floats* array : arrays)
    for (float value : *array)
      if (!std::isfinite(value)) how.fail(what);
}

// Within 1e-4 of the largest number of all the arrays: one of them alone can be near 0 by cancellation.
void expect_near(const How& how, const std::vector<const Floats*>& ours, const std::vector<const Floats*>& theirs,
                 const char* what) {
  float most = 0.0f, apart = 0.0f;
  for (size_t a = 0; a < ours.size(); ++a)
    for (long i = 0; i < ours[a]->size(); ++i) {
      most = std::max(most, std::abs((*theirs[a])[i]));
      apart = std::max(apart, std::abs((*ours[a])[i] - (*theirs[a])[i]));
    }
  if (!(apart <= 1e-4f * most)) how.fail(what);
}

bool same(const Floats& a, const Floats& b) { return std::equal(a.begin(), a.end(), b.begin()); }

double product(const Floats& a, const Floats& b) { return std::inner_product(a.begin(), a.end(), b.begin(), 0.0); }

// The slope along one direction of everything, against what becomes of the outputs on a short way.
void expect_slope(const How& how, const Arguments& a, const OutputSlopes& slopes_in, const Arguments& slopes,
                  unsigned seed) {
  const float way = 2e-3f;
  Random random(seed);
  const Arguments direction = arguments(how.of, random);
  const Found ahead = forward(how, moved(a, direction, way), false);
  const Found behind = forward(how, moved(a, direction, -way), false);
  const double difference = product(slopes_in.outputs, ahead.outputs) - product(slopes_in.outputs, behind.outputs) +
                            product(slopes_in.last_carry, ahead.last_carry) -
                            product(slopes_in.last_carry, behind.last_carry);
  double expected = 0.0, squares = 0.0;
  for (size_t i = 0; i < slopes.all().size(); ++i)
    for (long k = 0; k < slopes.all()[i]->size(); ++k) {
      const double part = static_cast<double>((*slopes.all()[i])[k]) * (*direction.all()[i])[k];
      expected += part;
      squares += part * part;
    }
  if (!(std::abs(difference / (2.0 * way) - expected) <= 3e-3 * std::sqrt(squares))) how.fail("slopes");
}

// A number that changes with any bit of the arrays.
std::uint64_t digest(const std::vector<const Floats*>& arrays, std::uint64_t before) {
  for (const Floats* array : arrays)
    for (const float& value : *array)
      before = (before ^ reinterpret_cast<const std::uint32_t&>(value)) * 1099511628211u;
  return before;
}

std::uint64_t digest(const Found& found, const Arguments& slopes, std::uint64_t before) {
  return digest(slopes.all(), digest({&found.outputs, &found.last_carry, &found.panel, &found.saved}, before));
}

struct Copies {
  std::vector<const Variant*> here;

  Copies() {
    for (const Variant* copy : COPIES)
      if (runs_here(copy->name)) here.push_back(copy);
  }
};

// One case by every copy: outputs of all steps in one order of reading, of the last in the other. Returns a
// digest of all the numbers.
std::uint64_t check(const std::vector<const Variant*>& copies, const Case& of, bool thoroughly) {
  Random random(of.seed);
  const Arguments given = arguments(of, random);
  std::uint64_t bits = 0;
  for (const bool sequences : {false, true}) {
    const bool backwards = sequences != (of.seed % 2 == 0);
    const How first{*copies[0], of, backwards, sequences};
    const OutputSlopes slopes_in{
        Floats(of.shape.batch * (sequences ? of.shape.steps : 1) * of.shape.units, random, 1.0f),
        Floats(given.carry.size(), random, 1.0f)};
    const Found expected = forward(first, given, true);
    const Arguments expected_slopes = backward(first, given, expected, slopes_in);
    // A relu has no slope at 0, and the way to the other side of it may be shorter than ours; and in the difference
    // of large sums too few digits are left.
    if (thoroughly && of.shape.batch <= 70 && static_cast<Activation>(of.activation) != Activation::relu)
      expect_slope(first, given, slopes_in, expected_slopes, of.seed + 1);
    for (const Variant* copy : copies) {
      const How how{*copy, of, backwards, sequences};
      const Found found = forward(how, given, true);
      // From the same states in every copy: a rounding must not decide on which side of 0 a relu is.
      const Arguments slopes = backward(how, given, expected, slopes_in);
      bits = digest(found, slopes, bits);
      if (!thoroughly) continue;
      const std::vector<const Floats*> results{&found.outputs, &found.last_carry, &found.panel, &found.saved};
      expect_finite(how, results, "a result is not finite, or was not written");
      expect_finite(how, slopes.all(), "a slope is not finite, or was not written");
      expect_near(how, results, {&expected.outputs, &expected.last_carry, &expected.panel, &expected.saved},
                  "another copy has other results");
      expect_near(how, {&slopes.inputs, &slopes.hidden, &slopes.carry},
                  {&expected_slopes.inputs, &expected_slopes.hidden, &expected_slopes.carry},
                  "another copy has other slopes of inputs or states");
      expect_near(how, {&slopes.kernel, &slopes.recurrent, &slopes.bias},
                  {&expected_slopes.kernel, &expected_slopes.recurrent, &expected_slopes.bias},
                  "another copy has other slopes of weights");
      const Found forgotten = forward(how, given, false);
      if (!same(forgotten.outputs, found.outputs) || !same(forgotten.last_carry, found.last_carry))
        how.fail("other outputs if nothing is kept");
    }
  }
  return bits;
}

// While it lives, calls are not helped with.
struct Alone {
  Alone() { count_trainings(1000); }
  ~Alone() { count_trainings(-1000); }
};

// Shares that are dealt out: each must be done once, by whichever thread.
struct Tally {
  std::vector<int> done;
  std::atomic<long> by_helpers{0};

  explicit Tally(long shares) : done(shares) {}

  bool deal_once() {
    const long shares = static_cast<long>(done.size());
    deal(gather(shares), shares, [](void* tally, long place, long begin, long end) {
      for (long share = begin; share < end; ++share) ++static_cast<Tally*>(tally)->done[share];
      if (place) static_cast<Tally*>(tally)->by_helpers += end - begin;
    }, this);
    return std::all_of(done.begin(), done.end(), [this](int times) { return times == done[0]; });
  }
};

void fail(const char* what) {
  std::fprintf(stderr, "crew: %s\n", what);
  std::exit(1);
}

// Callers that meet in one crew: nothing is left out or done twice, and sooner or later there is help.
void check_crew() {
  Tally helped(7);
  for (long tries = 0; !helped.by_helpers; ++tries) {
    if (!helped.deal_once()) fail("a share was left out, or done twice");
    if (tries == 1'000'000) fail("no helper ever came");
  }
  std::vector<std::thread> callers;
  for (long caller = 0; caller < 6; ++caller)
    callers.emplace_back([caller] {
      Random random(caller);
      for (int call = 0; call < 3'000; ++call)
        if (Tally tally(draw(random, 1, 20)); !tally.deal_once() || tally.done[0] != 1)
          fail("a share was left out, or done twice, beside other callers");
    });
  for (std::thread& caller : callers) caller.join();
  const Alone alone;
  Tally tally(16);
  for (int call = 0; call < 1'000; ++call) tally.deal_once();
  if (tally.by_helpers) fail("help beside as many trainings as there are cores");
}

#ifdef BACKSIGHT_FORKS
// A forked process has none of its parent's helpers.
void check_fork() {
  const pid_t child = fork();
  if (!child) {
    Tally tally(7);
    for (long tries = 0; tries < 1'000'000 && !tally.by_helpers; ++tries)
      if (!tally.deal_once()) _exit(1);
    _exit(tally.by_helpers ? 0 : 2);
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status)) fail("no crew after a fork");
}
#endif

// Mostly small, since a mistake at an edge shows there as well; some as large as they come.
Shape shape(Random& random, long place) {
  const long most = place % 8 ? 300 : 4'000;
  for (;;) {
    Shape s{draw(random, 1, place % 8 ? 70 : 700), draw(random, 1, 70), draw(random, 1, 20), draw(random, 1, 33), 0, 0, 0};
    s.width = s.batch <= 16 ? 16 : 32;  // as `block_width` in fused.py
    if (s.blocks() * s.steps * s.units * (s.features + s.units) <= most) return s;
  }
}

}  // namespace

int main(int count, char** arguments) {
  const long shapes = count > 1 ? std::atol(arguments[1]) : 300;
  const std::vector<const Variant*> copies = Copies().here;
  Random random(1);
  std::vector<Case> cases;
  for (long place = 0; place < shapes; ++place) {
    Shape s = shape(random, place);
    for (long cell = 0; cell < CELLS; ++cell) {
      // Exactly as many rows as are needed, or as fused.py has them, or more.
      const Rows& rows = plain::VARIANT.rows[cell];
      s.panel_rows = (1 + rows.extra) * s.units + s.features;
      s.saved_rows = rows.saved * s.units;
      if (place % 3) s.panel_rows |= 1, s.saved_rows |= 1;
      if (place % 3 == 2) s.panel_rows += 2, s.saved_rows += 2;
      for (long activation = 0; activation < ACTIVATIONS; ++activation)
        cases.push_back({cell, activation, s, static_cast<unsigned>(random())});
    }
  }
  setenv("BACKSIGHT_CORES", "4", 1);  // more than there may be, so that work is cut in many ways
  check_crew();
#ifdef BACKSIGHT_FORKS
  check_fork();
#endif
  std::vector<std::uint64_t> expected;
  for (const Case& one : cases) {
    expected.push_back(check(copies, one, true));
    const Alone alone;
    if (check(copies, one, false) != expected.back())
      How{*copies[0], one, false, false}.fail("other numbers without helpers");
  }

  // Four threads, each in an order of its own, so that their working memories grow under way.
  std::vector<std::thread> threads;
  for (unsigned seed = 0; seed < 4; ++seed)
    threads.emplace_back([&, seed] {
      std::vector<size_t> order(cases.size());
      std::iota(order.begin(), order.end(), 0);
      std::shuffle(order.begin(), order.end(), Random(seed));
      for (size_t i = 0; i < order.size() / 32; ++i)
        if (check(copies, cases[order[i]], false) != expected[order[i]])
          How{*copies[0], cases[order[i]], false, false}.fail("other numbers beside other threads");
    });
  for (std::thread& thread : threads) thread.join();

  std::printf("%zu cases (%ld shapes), copies:", cases.size(), shapes);
  for (const Variant* copy : copies) std::printf(" %s", copy->name);
  std::printf(": no violation\n");
}
