// Checkpoint files <-> parameters. Reads one file or shards, old tensor names or new ones; writes the published names.
#pragma once
#include "core/safetensors.h"
#include "model/layers.h"

namespace vsgrpo {

// Copies every weight's tensor from `dir`/`file` (or the shards of `file`.index.json). Missing, unexpected and mis-shaped
// tensors are errors that name the tensor. `tied`: a stored lm_head.weight is ignored.
void load_weights(const std::string& dir, const std::string& file, const NamedWeights& weights, bool tied);

void write_weights(const std::string& path, const NamedWeights& weights, const LastChange& change = {});

}  // namespace vsgrpo
