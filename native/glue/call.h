// How the kernels' C interface is called with tensors.
#pragma once
#include "core/gpu.h"
#include "glue/stream.h"

namespace vsgrpo::glue {

template <typename Args>
void call(int (*kernel)(const Args*, void*), Args args) {
  args.struct_size = sizeof(Args);
  VS_CHECK(kernel(&args, current_stream()) == VSGRPO_OK, "GPU", vsgrpo_kernels_error());
}

// The memory of a dense tensor, null of an undefined one. Kernels may not be told of strides.
inline void* data(const at::Tensor& tensor) {
  if (!tensor.defined()) return nullptr;
  VS_CHECK(tensor.is_contiguous(), "GPU", "[gpu] expected a contiguous tensor, got strides ", tensor.strides(), " of shape ", tensor.sizes());
  return tensor.data_ptr();
}

template <typename T>
T* data(const at::Tensor& tensor) {
  VS_CHECK(!tensor.defined() || tensor.scalar_type() == c10::CppTypeToScalarType<T>::value, "GPU", "[gpu] expected ",
           c10::CppTypeToScalarType<T>::value, ", got ", tensor.scalar_type());
  return static_cast<T*>(data(tensor));
}

}  // namespace vsgrpo::glue
