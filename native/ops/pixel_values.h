// Bytes of patches to the normalised values that the vision tower reads (Hugging Face's pixel_values).
#pragma once
#include "core/pch.h"

namespace vsgrpo {

// patches uint8 [P, 3 * plane], channel after channel; rows[m] of them are media item m's, whose bytes stand for
// byte_values[m], float32 [M, 3, 256]. -> [P, 3 * plane] of type and device of `kind`; to a GPU it is bytes that travel.
at::Tensor pixel_values(const at::Tensor& patches, const at::Tensor& byte_values, const std::vector<int64_t>& rows, const at::TensorOptions& kind);

}  // namespace vsgrpo
