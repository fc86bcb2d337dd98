// What holds for the whole process, whichever models it loads.
#pragma once
#include <napi.h>

namespace vsgrpo {

// Before the first tensor.
void set_up_memory();

// Lets the process end in the middle of a job.
void guard_exit(Napi::Env env);

}  // namespace vsgrpo
