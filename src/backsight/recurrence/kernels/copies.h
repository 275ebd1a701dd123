// The copies of the kernels in this library, and which of them this processor can run.
#pragma once
#include <cstring>

#include "calls.h"

namespace backsight {

#if defined(__x86_64__)
namespace avx512 { extern const Variant VARIANT; }
namespace avx2 { extern const Variant VARIANT; }
#endif
namespace plain { extern const Variant VARIANT; }

// The widest first.
inline const Variant* const COPIES[] = {
#if defined(__x86_64__)
    &avx512::VARIANT, &avx2::VARIANT,
#endif
    &plain::VARIANT};

// The instructions are those that CMakeLists.txt allows each copy.
inline bool runs_here(const char* name) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (!std::strcmp(name, "avx512")) return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq");
  if (!std::strcmp(name, "avx2")) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
  return true;
}

}  // namespace backsight
