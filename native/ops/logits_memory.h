// How many logits exist at a time, and where.
#pragma once
#include "core/pch.h"

namespace vsgrpo {

// What a chunk's logits lie in on the CPU. While somebody holds it, all passes of the thread use the same: pages fresh from
// the operating system take a third of the time that the product takes which fills them.
std::shared_ptr<at::Tensor> logits_memory();

// Bytes of one chunk's logits, in the model's type; 0: 96 MB on the CPU, 640 MB on a GPU. A chunk has 16 rows at least.
void limit_logits(int64_t bytes);

}  // namespace vsgrpo
