// Device: the cards that a driver finds, what each can do, and the one to take.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "backend/cuda/driver.h"
#include "namesake/gpu.h"

namespace namesake::cuda {

/// The oldest compute capability that works: 7.5 (RTX 20 series, GTX 16 series, T4), ten times.
constexpr int kLeastCapability = 75;

/// What a card must have free to be of any use: about what a step of the smallest model takes (SmolLM2-135M).
constexpr std::uint64_t kLeastMemory = std::uint64_t{384} << 20;

/// Every card in the driver's order, each with what keeps it from being used. Fails where the driver cannot list them.
Result<std::vector<GpuCard>> list_cards(const std::shared_ptr<const Driver>& driver);

/// The ordinal of the card to take: `wanted`, or of those that can be used the one with the most free memory (the first of equals).
/// Otherwise what is wrong with it, or with the card that came closest: too little memory, then a failure, then age.
/// gpu.no_card where there is none, gpu.no_such_card where there is none with that number.
Result<int> choose_card(const std::vector<GpuCard>& cards, std::optional<int> wanted = std::nullopt);

/// What a driver that was opened, or could not be, says about the machine.
GpuReport report_of(const Result<std::shared_ptr<const Driver>>& driver);

}  // namespace namesake::cuda
