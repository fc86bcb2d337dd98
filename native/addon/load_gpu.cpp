#include "addon/load_gpu.h"

#include <ATen/Parallel.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <cstdlib>
#include <dlfcn.h>
#include <filesystem>

#include "core/check.h"
#include "core/gpu.h"

namespace vsgrpo {
namespace {

// The folder of the library that a function lies in.
std::filesystem::path folder_of(const void* function) {
  Dl_info info{};
  return dladdr(function, &info) && info.dli_fname ? std::filesystem::path(info.dli_fname).parent_path() : std::filesystem::path();
}

std::filesystem::path engine_library() { return folder_of(reinterpret_cast<const void*>(&prepare_gpu)) / "libvsgrpo_cuda.so"; }

std::filesystem::path libtorch_library() { return folder_of(reinterpret_cast<const void*>(&at::get_num_threads)) / "libtorch_cuda.so"; }

bool is_there(const std::filesystem::path& file) {
  std::error_code ignored;
  return std::filesystem::exists(file, ignored);
}

// Why the library could not be loaded; empty when it was. It stays loaded for the life of the process.
std::string open(const std::string& file, int flags) {
  if (dlopen(file.c_str(), RTLD_NOW | flags)) return {};
  const char* error = dlerror();
  return error ? error : file + " cannot be loaded";
}

// Its kernels register themselves with the libtorch that is loaded already: once is enough.
const std::string& open_libtorch_cuda() {
  static const std::string error = open(libtorch_library(), RTLD_GLOBAL);
  return error;
}

void check_driver() {
  const std::string error = open("libcuda.so.1", RTLD_LOCAL);
  VS_CHECK(error.empty(), "NO_CUDA", "[cuda] there is no NVIDIA driver (", error,
           "); install it, so that `nvidia-smi` lists the GPU, or use device 'cpu'");
}

void check_devices() {
  if (at::detail::getCUDAHooks().deviceCount() > 0) return;
  const char* visible = std::getenv("CUDA_VISIBLE_DEVICES");
  fail("NO_CUDA", "[cuda] the NVIDIA driver shows no GPU that this CUDA can use", visible ? " (CUDA_VISIBLE_DEVICES=" : "", visible ? visible : "",
       visible ? ")" : "", "; `nvidia-smi` lists the GPUs and the driver, which must be new enough for CUDA 13; or use device 'cpu'");
}

Gpu* open_engine_library() {
  const std::string file = engine_library();
  const std::string error = open(file, RTLD_LOCAL);
  VS_CHECK(error.empty(), "NO_CUDA", "[cuda] ", error, "; run `npx vsgrpo setup --cuda` again");
  using Make = Gpu*();
  auto* make = reinterpret_cast<Make*>(dlsym(dlopen(file.c_str(), RTLD_NOW), "vsgrpo_gpu"));
  VS_CHECK(make, "NO_CUDA", "[cuda] ", file, " is of another version; run `npx vsgrpo setup --cuda` again");
  return make();
}

}  // namespace

void prepare_gpu() {
  if (is_there(engine_library())) open_libtorch_cuda();
}

void load_gpu() {
  if (has_gpu()) return;
  VS_CHECK(is_there(engine_library()), "NO_CUDA", "[cuda] this build of vsgrpo is for the CPU (", engine_library().string(),
           " is not there); run `npx vsgrpo setup --cuda`, which builds it for NVIDIA GPUs too, or use device 'cpu'");
  VS_CHECK(is_there(libtorch_library()), "NO_CUDA", "[cuda] the libtorch in ", libtorch_library().parent_path().string(),
           " has no CUDA; run `npx vsgrpo setup --cuda`, which takes one that has");
  check_driver();
  const std::string& error = open_libtorch_cuda();
  VS_CHECK(error.empty(), "NO_CUDA", "[cuda] libtorch's CUDA part cannot be loaded (", error,
           "); run `npx vsgrpo setup --cuda`, which brings the libraries that it needs");
  check_devices();
  set_gpu(open_engine_library());
}

}  // namespace vsgrpo
