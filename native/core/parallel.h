// The engine's own loop over several threads. Decoding opens hundreds of loops of a few microseconds per token; to wake a
// sleeping thread takes longer than that, so workers stay awake for a moment after each loop before they sleep.
#pragma once
#include <c10/util/FunctionRef.h>

#include "core/pch.h"

namespace vsgrpo {

// Calls body(first, last) on parts of [begin, end) that are at least `grain` long (the last may be shorter), on up to
// at::get_num_threads() threads, the caller's among them. Which thread gets which part differs from run to run: a body's
// results must not depend on how the range is cut. The first exception of a body is thrown here. Serial inside a body.
void parallel_for(int64_t begin, int64_t end, int64_t grain, c10::function_ref<void(int64_t, int64_t)> body);

}  // namespace vsgrpo
