// Random draws that are the same on every machine: only the IEEE operations that are exactly defined (+ - * /
// sqrt), with a logarithm and an exponential of our own, because those of the C library differ between
// machines.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/rng.h"

namespace snug::simulate {

// Within 4e-15 of the true value, relative (absolute near 1). x > 0 and normal.
double PortableLog(double x);
// Within 4e-15 relative; 0 below -700; x <= 700.
double PortableExp(double x);

double Normal(Rng& rng);
// Shape > 0, scale 1. Marsaglia and Tsang, 2000.
double Gamma(Rng& rng, double shape);
// Mean >= 0, at most 1e9. Inversion below 10, else Hoermann's PTRS, 1993.
uint64_t Poisson(Rng& rng, double mean);
// Requests in a time in which `mean` come on average and the gaps have this coefficient of variation: for a
// long time the variance is mean * cv^2. Negative binomial; Poisson when the variance is not above the mean.
uint64_t RequestCount(Rng& rng, double mean, double interarrival_cv);
// Exponential with mean 1.
double Exponential(Rng& rng);

// A seed for a stream of its own, from a name and a seed.
uint64_t StreamSeed(std::string_view name, uint64_t seed);

}  // namespace snug::simulate
