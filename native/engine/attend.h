// Attend: attention over packed sequences that may share a prefix. The op itself knows whole sequences only, so rows are
// written out before it and gathered after it; without a prefix it is called as it is.
#pragma once

#include "engine/activations.h"
#include "engine/packed.h"
#include "namesake/model.h"

namespace namesake {

/// kept.attn [M, H*D] from kept.q, k, v; kept.lse [E, H] is for the written-out rows.
Status attend_forward(Backend& backend, const Config& config, const Packed& batch, LayerActivations& kept, Activations& acts);

/// acts.dq, dk, dv [M, ...] from acts.dattn [M, H*D]. The shared prefix's gradients are those of all sequences, added in
/// their order.
Status attend_backward(Backend& backend, const Config& config, const Packed& batch, const LayerActivations& kept,
                       Activations& acts);

}  // namespace namesake
