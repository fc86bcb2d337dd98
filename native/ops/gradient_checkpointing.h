// Gradient checkpointing: a function keeps only its input for the backward pass and runs again there.
#pragma once
#include "core/pch.h"

namespace vsgrpo {

// y = function(x). `function` must give the same values whenever it is called, and outlives the graph.
at::Tensor recomputed(const at::Tensor& x, std::function<at::Tensor(const at::Tensor&)> function);

}  // namespace vsgrpo
