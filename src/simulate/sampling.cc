#include "simulate/sampling.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace snug::simulate {
namespace {

constexpr double kLn2High =
    6.93147180369123816490e-01;  // ln 2 in two parts (fdlibm), so that k * high is exact
constexpr double kLn2Low = 1.90821492927058770002e-10;
constexpr double kPoissonInversionBelow = 10;

double PowerOfTwo(int exponent) {
  return std::bit_cast<double>(static_cast<uint64_t>(exponent + 1023) << 52);
}

// ln k!, Stirling's series; k >= 10.
double LogFactorial(double k) {
  double inverse = 1 / k, square = inverse * inverse;
  double series = inverse * (1.0 / 12 - square * (1.0 / 360 - square * (1.0 / 1260 - square / 1680)));
  return (k + 0.5) * PortableLog(k) - k + 0.91893853320467274178 + series;
}

uint64_t PoissonByInversion(Rng& rng, double mean) {
  double limit = PortableExp(-mean), product = rng.Uniform();
  uint64_t count = 0;
  while (product > limit) {
    product *= rng.Uniform();
    ++count;
  }
  return count;
}

double SmallLogFactorial(double k) {
  double product = 1;
  for (double i = 2; i <= k; ++i) product *= i;
  return PortableLog(product);
}

uint64_t PoissonByRejection(Rng& rng, double mean) {
  double b = 0.931 + 2.53 * std::sqrt(mean), a = -0.059 + 0.02483 * b;
  double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4), v_r = 0.9277 - 3.6224 / (b - 2),
         log_mean = PortableLog(mean);
  for (;;) {
    double u = rng.Uniform() - 0.5, v = rng.Uniform();
    double us = 0.5 - std::fabs(u);
    double k = std::floor((2 * a / us + b) * u + mean + 0.43);
    if (us >= 0.07 && v <= v_r) return static_cast<uint64_t>(k);
    if (k < 0 || (us < 0.013 && v > us) || v <= 0) continue;
    double log_k = k < 10 ? SmallLogFactorial(k) : LogFactorial(k);
    if (PortableLog(v * inverse_alpha / (a / (us * us) + b)) <= k * log_mean - mean - log_k) {
      return static_cast<uint64_t>(k);
    }
  }
}

}  // namespace

double PortableLog(double x) {
  uint64_t bits = std::bit_cast<uint64_t>(x);
  int exponent = static_cast<int>(bits >> 52) - 1023;
  double m = std::bit_cast<double>((bits & 0x000fffffffffffff) | 0x3ff0000000000000);
  if (m > 1.4142135623730951) {
    m *= 0.5;
    ++exponent;
  }
  // ln m = 2 artanh(s), |s| <= 0.172: the series' 11 terms reach 1e-17.
  double s = (m - 1) / (m + 1), square = s * s, sum = 0;
  for (int n = 21; n >= 1; n -= 2) sum = sum * square + 1.0 / n;
  return exponent * kLn2High + (2 * s * sum + exponent * kLn2Low);
}

double PortableExp(double x) {
  if (x < -700) return 0;
  double k = std::floor(x / (kLn2High + kLn2Low) + 0.5);
  double r = (x - k * kLn2High) - k * kLn2Low, sum = 1;  // |r| <= 0.35
  for (int n = 14; n >= 1; --n) sum = 1 + r * sum / n;
  return sum * PowerOfTwo(static_cast<int>(k));
}

double Normal(Rng& rng) {
  for (;;) {
    double u = 2 * rng.Uniform() - 1, v = 2 * rng.Uniform() - 1, s = u * u + v * v;
    if (s > 0 && s < 1) return u * std::sqrt(-2 * PortableLog(s) / s);
  }
}

double Gamma(Rng& rng, double shape) {
  if (shape < 1) {
    double boosted = Gamma(rng, shape + 1), u = 1 - rng.Uniform();
    return boosted * PortableExp(PortableLog(u) / shape);
  }
  double d = shape - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  for (;;) {
    double x = Normal(rng), t = 1 + c * x;
    if (t <= 0) continue;
    double v = t * t * t, u = 1 - rng.Uniform();
    if (u < 1 - 0.0331 * x * x * x * x) return d * v;
    if (PortableLog(u) < 0.5 * x * x + d * (1 - v + PortableLog(v))) return d * v;
  }
}

uint64_t Poisson(Rng& rng, double mean) {
  if (!(mean > 0)) return 0;
  return mean < kPoissonInversionBelow ? PoissonByInversion(rng, mean) : PoissonByRejection(rng, mean);
}

uint64_t RequestCount(Rng& rng, double mean, double interarrival_cv) {
  double excess = interarrival_cv * interarrival_cv - 1;
  if (!(mean > 0)) return 0;
  if (excess <= 0) return Poisson(rng, mean);
  constexpr double kMeanMax = 1e9;
  return Poisson(rng, std::min(kMeanMax, Gamma(rng, mean / excess) * excess));
}

double Exponential(Rng& rng) {
  return -PortableLog(1 - rng.Uniform());
}

uint64_t StreamSeed(std::string_view name, uint64_t seed) {
  uint64_t hash = 0xcbf29ce484222325 ^ seed;
  for (char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

}  // namespace snug::simulate
