// A series of one's own for those without a trace (snug simulate synth). Its statistics are in
// docs/simulate.md.
#pragma once

#include <cstdint>

#include "simulate/traces.h"

namespace snug::simulate {

struct SynthOptions {
  size_t models = 100;
  size_t days = 14;
  uint64_t seed = 1;
};

// INVALID_ARGUMENT: no models or days, or more cells than kSeriesCellsMax.
Result<Series> MakeSynth(const SynthOptions& options);
// As CSV, the format that ParseSeries reads.
std::string SeriesCsv(const Series& series);

}  // namespace snug::simulate
