// Checkpoint: a folder from which training goes on bit for bit.
#pragma once

#include <cstdint>
#include <string>

#include "namesake/trainer.h"

namespace namesake {

/// Writes adapter_model.safetensors, adapter_config.json, optimizer.safetensors (tensors "m." and "v." + the trainable's name,
/// in the model's own row order; of moments in 8 bits "m_codes.", "m_absmax.", "v_codes.", "v_absmax.") and trainer_state.json through "<folder>.tmp". disk.full | disk.unwritable leave nothing behind.
Status write_checkpoint(const Model& model, Adapter& adapter, const TrainerOptions& options, std::int64_t step,
                        const std::string& folder, const std::string& base_model);

/// Reads such a folder into the adapter and its optimizer state, and returns its step. Everything is read and checked before
/// anything is changed. checkpoint.invalid also for options that differ from `options`: the same run goes on, not another.
Result<std::int64_t> read_checkpoint(const Model& model, Adapter& adapter, const TrainerOptions& options,
                                     const std::string& folder);

}  // namespace namesake
