// One call of a kernel lasts some ten microseconds, so a helper must be at hand within a fraction of one:
// after a share it looks out for the next one for a short while, and only then goes to sleep. A share that
// no helper has begun when the caller is done with its own is done by the caller; and helpers that kept a
// caller waiting, because something else runs on their cores, are left alone for a while.
//
// Who does a share changes no number: what is summed up, and in which order, follows from the shapes alone.
#include "crew.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#if defined(__linux__)
#include <sched.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#include <signal.h>
#endif

namespace backsight {
namespace {

using Clock = std::chrono::steady_clock;

constexpr long MOST_HELPERS = 16;
// How long a helper looks out for its next share: longer than what XLA does between two kernels of a small
// network, and so short that nobody notices when training ends.
constexpr std::chrono::microseconds LOOKS_OUT{50};
// A caller that had to wait for longer than it worked, and longer than this, calls nobody for twenty times as long:
// what is lost to a core that another program uses is a twentieth.
constexpr std::chrono::microseconds LONG_WAIT{5};
constexpr int RESTS = 20;

void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// The cores that this thread may use, or as many as BACKSIGHT_CORES says, and their numbers; -1: whichever.
struct Cores {
  long count = 0;
  int number[MOST_HELPERS];

  Cores() {
    std::fill(number, number + MOST_HELPERS, -1);
#if defined(__linux__)
    cpu_set_t mine;
    if (!sched_getaffinity(0, sizeof mine, &mine))
      for (int core = 0; core < CPU_SETSIZE; ++core)
        if (CPU_ISSET(core, &mine) && count++ < MOST_HELPERS) number[count - 1] = core;
#endif
    if (!count) count = static_cast<long>(std::thread::hardware_concurrency());
    if (const char* wish = std::getenv("BACKSIGHT_CORES")) count = std::atol(wish);
    count = std::max(1L, count);
  }

  static int current() {
#if defined(__linux__)
    return sched_getcpu();
#else
    return -2;
#endif
  }
};

enum class State : int { idle, asleep, offered, working, awaited, done };

class alignas(64) Helper {
 public:
  // The caller's from now on, until `release`, if it is free and not on the caller's own core.
  bool hire(int callers_core) {
    return core_ != callers_core && !hired_.load(std::memory_order_relaxed) &&
           !hired_.exchange(true, std::memory_order_acquire);
  }
  void release() { hired_.store(false, std::memory_order_release); }

  // Whether it was awake.
  bool offer(Share share, void* work, long place, long begin, long end) {
    share_ = share, work_ = work, place_ = place, begin_ = begin, end_ = end;
    if (state_.exchange(State::offered, std::memory_order_acq_rel) != State::asleep) return true;
    { std::lock_guard<std::mutex> lock(mutex_); }  // it is about to wait, or waits already
    changed_.notify_all();
    return false;
  }

  // Returns when the share is done, by whomever.
  void finish() {
    State state = State::offered;
    if (state_.compare_exchange_strong(state, State::idle, std::memory_order_acq_rel)) {
      share_(work_, place_, begin_, end_);
      return;
    }
    for (long looks = 0; looks < 4000 && state_.load(std::memory_order_acquire) != State::done; ++looks) pause();
    state = State::working;
    if (state_.compare_exchange_strong(state, State::awaited, std::memory_order_acq_rel)) {
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait(lock, [this] { return state_.load(std::memory_order_acquire) == State::done; });
    }
    state_.store(State::idle, std::memory_order_release);
  }

  [[noreturn]] void run(int core) {
    stay_on(core);
    for (;;) {
      if (!is_offered()) sleep();
      State state = State::offered;
      if (!state_.compare_exchange_strong(state, State::working, std::memory_order_acq_rel)) continue;
      share_(work_, place_, begin_, end_);
      if (state_.exchange(State::done, std::memory_order_acq_rel) == State::awaited) {
        { std::lock_guard<std::mutex> lock(mutex_); }
        changed_.notify_all();
      }
    }
  }

  void begin(int core) {
    core_ = core;
    std::thread(&Helper::run, this, core).detach();
  }

 private:
  // A helper on the core of its caller would be of no use, and the scheduler likes to put it there.
  static void stay_on([[maybe_unused]] int core) {
#if defined(__linux__)
    if (core < 0) return;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(core, &one);
    pthread_setaffinity_np(pthread_self(), sizeof one, &one);
#endif
  }

  bool is_offered() {
    const auto until = Clock::now() + LOOKS_OUT;
    do {
      for (int looks = 0; looks < 16; ++looks) {
        if (state_.load(std::memory_order_acquire) == State::offered) return true;
        pause();
      }
    } while (Clock::now() < until);
    return false;
  }

  void sleep() {
    std::unique_lock<std::mutex> lock(mutex_);
    State state = State::idle;
    if (state_.compare_exchange_strong(state, State::asleep, std::memory_order_acq_rel))
      changed_.wait(lock, [this] { return state_.load(std::memory_order_acquire) != State::asleep; });
  }

  std::atomic<State> state_{State::idle};
  std::atomic<bool> hired_{false};
  int core_ = -1;
  Share share_ = nullptr;
  void* work_ = nullptr;
  long place_ = 0, begin_ = 0, end_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
};

class Crew {
 public:
  Crew() {
#if defined(__unix__) || defined(__APPLE__)
    sigset_t all, before;  // signals are the other threads' business
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
#endif
    // One for each core, for the caller may be on any.
    const long wanted = cores_.count > 1 ? std::min(cores_.count, MOST_HELPERS) : 0;
    try {
      for (; helpers_ < wanted; ++helpers_) helper_[helpers_].begin(cores_.number[helpers_]);
    } catch (const std::system_error&) {  // no more threads for this process: as many as there are
    }
#if defined(__unix__) || defined(__APPLE__)
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
#endif
  }

  // So many threads, the caller's included, that no more are at work than there are cores.
  long gather(long shares, long trainings) {
    long at_work = at_work_.fetch_add(1, std::memory_order_relaxed) + 1;
    if (shares == 1 || !helpers_ || now() < rest_until_.load(std::memory_order_relaxed)) return 1;
    const long wanted = std::min({shares, cores_.count / std::max(trainings, 1L), MOST_HELPERS}) - 1;
    for (;;) {
      const long more = std::min(wanted, cores_.count - at_work);
      if (more <= 0) return 1;
      if (at_work_.compare_exchange_weak(at_work, at_work + more, std::memory_order_relaxed)) return 1 + more;
    }
  }

  void deal(long threads, long shares, Share share, void* work) {
    if (threads == 1)
      share(work, 0, 0, shares);
    else
      deal_to_helpers(threads, shares, share, work);
    at_work_.fetch_sub(threads, std::memory_order_relaxed);
  }

 private:
  static Clock::rep now() { return Clock::now().time_since_epoch().count(); }

  void deal_to_helpers(long threads, long shares, Share share, void* work) {
    const auto began = Clock::now();
    const int here = Cores::current();
    Helper* hired[MOST_HELPERS];
    long helpers = 0;
    for (long h = 0; h < helpers_ && helpers < threads - 1; ++h)
      if (helper_[h].hire(here)) hired[helpers++] = &helper_[h];
    const auto begin = [&](long place) { return shares * place / (helpers + 1); };
    bool all_awake = true;
    for (long h = 0; h < helpers; ++h) all_awake &= hired[h]->offer(share, work, h + 1, begin(h + 1), begin(h + 2));
    share(work, 0, 0, begin(1));
    const auto worked = Clock::now();
    for (long h = 0; h < helpers; ++h) hired[h]->finish(), hired[h]->release();
    const auto waited = Clock::now() - worked;
    if (all_awake && waited > LONG_WAIT && waited > worked - began)
      rest_until_.store(now() + (RESTS * waited).count(), std::memory_order_relaxed);
  }

  const Cores cores_;
  long helpers_ = 0;
  std::atomic<long> at_work_{0};
  std::atomic<Clock::rep> rest_until_{0};
  Helper helper_[MOST_HELPERS];
};

// Never destroyed: helpers sleep in it when the process ends.
std::atomic<Crew*> crew{nullptr};
std::atomic<long> trainings{0};
std::mutex making;

// A forked process has none of the threads, and starts without a crew; the old one is left to itself.
void forget() {
  crew.store(nullptr);
  trainings.store(0);
  new (&making) std::mutex;
}

Crew& the_crew() {
  Crew* found = crew.load(std::memory_order_acquire);
  if (found) return *found;
  std::lock_guard<std::mutex> lock(making);
  if (!(found = crew.load(std::memory_order_acquire))) {
#if defined(__unix__) || defined(__APPLE__)
    static const int registered = pthread_atfork(nullptr, nullptr, forget);
    static_cast<void>(registered);
#endif
    crew.store(found = new Crew, std::memory_order_release);
  }
  return *found;
}

}  // namespace

long gather(long shares) { return the_crew().gather(shares, trainings.load(std::memory_order_relaxed)); }

void deal(long threads, long shares, Share share, void* work) { the_crew().deal(threads, shares, share, work); }

void count_trainings(long change) { trainings.fetch_add(change, std::memory_order_relaxed); }

}  // namespace backsight
