// Loads the kernels' library as the engine does and calls it: prints "ok" or what is wrong. Without a GPU a launch must end
// in VSGRPO_CUDA_ERROR with CUDA's own words. Built and run by check-build.mjs.
#include <dlfcn.h>

#include <cstdio>
#include <cstring>

#include "kernels/vsgrpo_kernels.h"

namespace {

template <typename Function>
Function* find(void* library, const char* name) {
  return reinterpret_cast<Function*>(dlsym(library, name));
}

int fail(const char* what, const char* detail) {
  std::printf("%s: %s\n", what, detail);
  return 1;
}

}  // namespace

int main(int, char** argv) {
  void* library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (!library) return fail("dlopen", dlerror());
  auto* const abi = find<decltype(vsgrpo_kernels_abi)>(library, "vsgrpo_kernels_abi");
  auto* const error = find<decltype(vsgrpo_kernels_error)>(library, "vsgrpo_kernels_error");
  auto* const swiglu = find<decltype(vsgrpo_swiglu)>(library, "vsgrpo_swiglu");
  if (!abi || !error || !swiglu) return fail("dlsym", "a function is missing");
  if (abi() != VSGRPO_KERNELS_ABI) return fail("vsgrpo_kernels_abi", "another version than the header's");

  alignas(16) float gate_up[8] = {}, y[4];
  vsgrpo_swiglu_args args{sizeof(args), VSGRPO_FLOAT32, 1, 4, gate_up, nullptr};
  if (swiglu(&args, nullptr) != VSGRPO_NULL_POINTER || !std::strstr(error(), "[swiglu] y")) return fail("a null array", error());
  args.y = y;
  const int status = swiglu(&args, nullptr);
  if (status == VSGRPO_CUDA_ERROR) std::printf("launch: %s\n", error());
  if (status != VSGRPO_CUDA_ERROR && status != VSGRPO_OK) return fail("a launch", error());
  std::puts("ok");
  return 0;
}
